#include "locomotion/environment.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fleet::locomotion {
namespace {

constexpr double kStrongestFelt = 1;   // to which contact forces are clipped
constexpr double kContactCost = 5e-4;  // times the sum of their squares
constexpr int kTorso = 1;

double square(double value) {
  return value * value;
}

}  // namespace

Environment::Environment(int task, const Body& body, Version version, simulation::ModelPointer model)
    : task_(task),
      body_(body),
      version_(version),
      published_(std::move(model)),
      model_(mj_copyModel(nullptr, published_.get())),
      data_(mj_makeData(model_.get())),
      factors_(kFactors, 1.0),
      observation_(sizes_of(body, version).observation) {
  require(data_ != nullptr, "MuJoCo: no memory for the state of ", body.name);
}

/// Masses, frictions and gears of the published body times these.
void Environment::become(std::span<const double> factors) {
  if (std::ranges::equal(factors, factors_)) return;
  factors_.assign(factors.begin(), factors.end());
  mj_copyModel(model_.get(), published_.get());
  if (std::ranges::all_of(factors, [](double factor) { return factor == 1; })) return;
  for (int i = 0; i < model_->nbody; ++i) model_->body_mass[i] *= factors[0];
  for (int i = 0; i < 3 * model_->nbody; ++i) model_->body_inertia[i] *= factors[0];
  for (int i = 0; i < model_->ngeom; ++i) model_->geom_friction[3 * i] *= factors[1];
  for (int i = 0; i < model_->nu; ++i) model_->actuator_gear[6 * i] *= factors[2];
  mj_setConst(model_.get(), data_.get());
}

void Environment::reset(const simulation::Variation& variation) {
  simulation::install_engine_hooks();
  variation_ = variation;
  become(std::span(variation).last(kFactors));
  mj_resetData(model_.get(), data_.get());
  for (int i = 0; i < model_->nq; ++i) data_->qpos[i] += variation[static_cast<std::size_t>(i)];
  for (int i = 0; i < model_->nv; ++i) data_->qvel[i] += variation[static_cast<std::size_t>(model_->nq + i)];
  mj_forward(model_.get(), data_.get());
  look();
}

/// How far it has come.
double Environment::place() const {
  return body_.by_torso ? data_->xpos[3 * kTorso] : data_->qpos[0];
}

simulation::StepResult Environment::step(std::span<const float> action) {
  if (!std::ranges::all_of(action, [](float value) { return std::isfinite(value); })) return {.diverged = true};
  double effort = 0;
  for (int i = 0; i < model_->nu; ++i) {
    data_->ctrl[i] = static_cast<double>(std::clamp(action[static_cast<std::size_t>(i)], -1.0F, 1.0F));
    effort += square(data_->ctrl[i]);
  }
  const double before = place();
  for (int k = 0; k < body_.frame_skip; ++k) mj_step(model_.get(), data_.get());
  if (feels(body_, version_)) mj_rnePostConstraint(model_.get(), data_.get());  // contact forces
  if (simulation::has_diverged(*data_)) return {.diverged = true};
  look();
  const bool stands = body_.stands(*model_, *data_);
  const double speed = (place() - before) / (model_->opt.timestep * body_.frame_skip);
  const double alive = stands || version_ == Version::kV4 ? body_.alive : 0;
  double reward = speed + alive - body_.control_cost * effort;
  if (feels(body_, version_)) {
    double felt = 0;
    for (int i = 0; i < kForce * model_->nbody; ++i) {
      felt += square(std::clamp(data_->cfrc_ext[i], -kStrongestFelt, kStrongestFelt));
    }
    reward -= kContactCost * felt;
  }
  return {.reward = reward, .terminated = !stands};
}

void Environment::look() {
  auto into = std::copy(data_->qpos + body_.hidden, data_->qpos + model_->nq, observation_.begin());
  for (int i = 0; i < model_->nv; ++i) {
    *into++ = body_.fastest > 0 ? std::clamp(data_->qvel[i], -body_.fastest, body_.fastest) : data_->qvel[i];
  }
  for (const double* force = data_->cfrc_ext + kForce; into != observation_.end(); ++force) {
    *into++ = std::clamp(*force, -kStrongestFelt, kStrongestFelt);
  }
}

bool Environment::ask_expert(std::span<float> action) {
  std::ranges::fill(action, 0.0F);
  return true;
}

}  // namespace fleet::locomotion
