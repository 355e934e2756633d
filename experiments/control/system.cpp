#include "control/system.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace fleet::control {
namespace {

using State = std::span<double>;
using ConstState = std::span<const double>;
using simulation::StepResult;

constexpr double kGravity = 9.8;

/// Uniform in [-most, most].
double around_zero(double most, RandomStream& stream) {
  return most * (2 * stream.uniform() - 1);
}

/// Which of the actions has the largest number; the first of equals.
int choice(std::span<const float> action) {
  return static_cast<int>(std::ranges::max_element(action) - action.begin());
}

void choose(int which, std::span<float> action) {
  std::ranges::fill(action, 0.0F);
  action[static_cast<std::size_t>(which)] = 1;
}

// A pole on a cart that is pushed left or right (Barto, Sutton and Anderson, 1983). State: the cart's place and speed,
// the pole's angle and speed.
namespace cart_pole {

constexpr double kPush = 10;
constexpr double kSeconds = 0.02;  // of a step
constexpr double kFarthest = 2.4;
const double kSteepest = 12 * 2 * M_PI / 360;

void draw(RandomStream& stream, State state) {
  for (double& value : state) value = around_zero(0.05, stream);
}

StepResult step(ConstState body, State state, std::span<const float> action) {
  const double cart = body[0];
  const double pole = 0.1 * body[1];
  const double half_length = 0.5 * body[2];
  const double mass = pole + cart;
  const double push = choice(action) == 1 ? kPush : -kPush;
  const double cosine = std::cos(state[2]);
  const double sine = std::sin(state[2]);
  const double pushed = (push + pole * half_length * (state[3] * state[3]) * sine) / mass;
  const double turn =
      (kGravity * sine - cosine * pushed) / (half_length * (4.0 / 3.0 - pole * (cosine * cosine) / mass));
  const double speed_up = pushed - pole * half_length * turn * cosine / mass;
  state[0] += kSeconds * state[1];
  state[1] += kSeconds * speed_up;
  state[2] += kSeconds * state[3];
  state[3] += kSeconds * turn;
  return {.reward = 1, .terminated = std::abs(state[0]) > kFarthest || std::abs(state[2]) > kSteepest};
}

void observe(ConstState state, State into) {
  std::ranges::copy(state, into.begin());
}

/// The cart's place and the pole's angle, without their speeds, which only who remembers can tell.
void observe_positions(ConstState state, State into) {
  into[0] = state[0];
  into[1] = state[2];
}

void expert(ConstState state, std::span<float> action) {
  choose(0.02 * state[0] + 0.05 * state[1] + state[2] + 0.25 * state[3] > 0 ? 1 : 0, action);
}

}  // namespace cart_pole

// A pendulum that a weak motor is to swing up and hold. State: its angle, 0 at the top, and speed.
namespace pendulum {

constexpr double kGravity = 10;
constexpr double kTorque = 2;
constexpr double kSeconds = 0.05;
constexpr double kFastest = 8;

void draw(RandomStream& stream, State state) {
  state[0] = around_zero(M_PI, stream);
  state[1] = around_zero(1, stream);
}

/// Within [-pi, pi).
double normalized(double angle) {
  const double turned = std::fmod(angle + M_PI, 2 * M_PI);
  return (turned < 0 ? turned + 2 * M_PI : turned) - M_PI;
}

StepResult step(ConstState body, State state, std::span<const float> action) {
  const double mass = body[0];
  const double length = body[1];
  const double torque = body[2] * kTorque * static_cast<double>(std::clamp(action[0], -1.0F, 1.0F));
  const double angle = normalized(state[0]);
  const double cost = angle * angle + 0.1 * (state[1] * state[1]) + 0.001 * (torque * torque);
  const double faster =
      (3 * kGravity / (2 * length) * std::sin(state[0]) + 3.0 / (mass * (length * length)) * torque) * kSeconds;
  state[1] = std::clamp(state[1] + faster, -kFastest, kFastest);
  state[0] += state[1] * kSeconds;
  return {.reward = -cost};
}

void observe(ConstState state, State into) {
  into[0] = std::cos(state[0]);
  into[1] = std::sin(state[0]);
  into[2] = state[1];
}

/// Pumps energy until it is nearly up, then holds it there.
void expert(ConstState state, std::span<float> action) {
  const double cosine = std::cos(state[0]);
  double torque = 0;
  if (cosine > 0.9 && std::abs(state[1]) < 3) {
    torque = -(20 * std::sin(state[0]) + 5 * state[1]);
  } else {
    const double energy = state[1] * state[1] / 6 + 5 * (cosine - 1);  // above that at rest at the top
    torque = std::copysign(kTorque, energy > 0 ? -state[1] : state[1]);
  }
  action[0] = static_cast<float>(std::clamp(torque / kTorque, -1.0, 1.0));
}

}  // namespace pendulum

// Two links, of which the motor between them is to swing the tip above a line (Sutton, 1996; the equations of Sutton
// and Barto's book). State: the first link's angle, the second's to the first, and their speeds.
namespace acrobot {

constexpr double kSeconds = 0.2;
constexpr double kFastestFirst = 4 * M_PI;
constexpr double kFastestSecond = 9 * M_PI;
constexpr double kLength = 1;
constexpr double kCenter = 0.5;  // of a link's mass
constexpr double kMoment = 1;
using Numbers = std::array<double, 4>;

void draw(RandomStream& stream, State state) {
  for (double& value : state) value = around_zero(0.1, stream);
}

Numbers derivative(ConstState body, const Numbers& s, double torque) {
  const double m1 = body[0];
  const double m2 = body[1];
  const double middle = kLength * kCenter;
  const double d1 = m1 * (kCenter * kCenter) +
                    m2 * (kLength * kLength + kCenter * kCenter + 2 * middle * std::cos(s[1])) + kMoment + kMoment;
  const double d2 = m2 * (kCenter * kCenter + middle * std::cos(s[1])) + kMoment;
  const double phi2 = m2 * kCenter * kGravity * std::cos(s[0] + s[1] - M_PI / 2);
  const double phi1 = -m2 * middle * (s[3] * s[3]) * std::sin(s[1]) - 2 * m2 * middle * s[3] * s[2] * std::sin(s[1]) +
                      (m1 * kCenter + m2 * kLength) * kGravity * std::cos(s[0] - M_PI / 2) + phi2;
  const double second = (torque + d2 / d1 * phi1 - m2 * middle * (s[2] * s[2]) * std::sin(s[1]) - phi2) /
                        (m2 * (kCenter * kCenter) + kMoment - d2 * d2 / d1);
  return {s[2], s[3], -(d2 * second + phi1) / d1, second};
}

/// s + factor * d.
Numbers moved(const Numbers& s, double factor, const Numbers& d) {
  Numbers next;
  for (std::size_t i = 0; i < s.size(); ++i) next[i] = s[i] + factor * d[i];
  return next;
}

double wrapped(double angle) {
  while (angle > M_PI) angle -= 2 * M_PI;
  while (angle < -M_PI) angle += 2 * M_PI;
  return angle;
}

StepResult step(ConstState body, State state, std::span<const float> action) {
  const double torque = body[2] * (choice(action) - 1);
  Numbers now;
  std::ranges::copy(state, now.begin());
  const Numbers k1 = derivative(body, now, torque);  // Runge and Kutta's fourth order
  const Numbers k2 = derivative(body, moved(now, kSeconds / 2, k1), torque);
  const Numbers k3 = derivative(body, moved(now, kSeconds / 2, k2), torque);
  const Numbers k4 = derivative(body, moved(now, kSeconds, k3), torque);
  for (std::size_t i = 0; i < now.size(); ++i) {
    now[i] += kSeconds / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
    if (!std::isfinite(now[i])) return {.diverged = true};
  }
  state[0] = wrapped(now[0]);
  state[1] = wrapped(now[1]);
  state[2] = std::clamp(now[2], -kFastestFirst, kFastestFirst);
  state[3] = std::clamp(now[3], -kFastestSecond, kFastestSecond);
  const bool up = -std::cos(state[0]) - std::cos(state[1] + state[0]) > 1;
  return {.reward = up ? 0.0 : -1.0, .terminated = up};
}

void observe(ConstState state, State into) {
  for (std::size_t i = 0; i < 2; ++i) {
    into[2 * i] = std::cos(state[i]);
    into[2 * i + 1] = std::sin(state[i]);
    into[4 + i] = state[2 + i];
  }
}

/// Pushes the way that the second link swings.
void expert(ConstState state, std::span<float> action) {
  choose(state[3] > 0 ? 2 : 0, action);
}

}  // namespace acrobot

}  // namespace

std::span<const System> system_table() {
  static constexpr std::array kSystems = {
      System{.name = "cartpole",
             .body = "cart's mass, pole's mass, pole's length",
             .state = 4,
             .observation = 4,
             .action = 2,
             .chooses = true,
             .steps = 500,
             .draw = cart_pole::draw,
             .step = cart_pole::step,
             .observe = cart_pole::observe,
             .expert = cart_pole::expert},
      System{.name = "pendulum",
             .body = "mass, length, torque",
             .state = 2,
             .observation = 3,
             .action = 1,
             .chooses = false,
             .steps = 200,
             .draw = pendulum::draw,
             .step = pendulum::step,
             .observe = pendulum::observe,
             .expert = pendulum::expert},
      System{.name = "acrobot",
             .body = "first link's mass, second link's mass, torque",
             .state = 4,
             .observation = 6,
             .action = 3,
             .chooses = true,
             .steps = 500,
             .draw = acrobot::draw,
             .step = acrobot::step,
             .observe = acrobot::observe,
             .expert = acrobot::expert},
      System{.name = "cartpole-positions",
             .body = "cart's mass, pole's mass, pole's length",
             .state = 4,
             .observation = 2,
             .action = 2,
             .chooses = true,
             .steps = 500,
             .draw = cart_pole::draw,
             .step = cart_pole::step,
             .observe = cart_pole::observe_positions,
             .expert = cart_pole::expert},
  };
  return kSystems;
}

}  // namespace fleet::control
