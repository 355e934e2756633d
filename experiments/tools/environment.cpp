#include "tools/environment.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr int kLooks = 20;              // at the way to the object
constexpr double kTouches = 1e-3;       // metres that arm or tool may be inside something on it
constexpr double kSteadySeconds = 0.7;  // before the tool meets the object

/// What an action asks for, in the hand's frame.
Pose command_of(std::span<const float> action) {
  const auto at = [&](std::size_t i) { return static_cast<double>(std::clamp(action[i], -1.0F, 1.0F)); };
  return {rotation_of(kTurn * Vec3(at(3), at(4), at(5))), kReach * Vec3(at(0), at(1), at(2))};
}

/// Whether no geom of arm or tool (bodies up to `last`) is inside another thing on the way.
bool is_clear(const mjModel& model, const mjData& now, int last, const Path& path, double until) {
  const simulation::DataPointer data(mj_makeData(&model));
  mju_copy(data->qpos, now.qpos, model.nq);
  for (int i = 1; i <= kLooks; ++i) {
    const Joints joints = path.at(until * i / kLooks);
    mju_copy(data->qpos, joints.data(), kJoints);
    mj_kinematics(&model, data.get());
    mj_comPos(&model, data.get());
    mj_collision(&model, data.get());
    for (int c = 0; c < data->ncon; ++c) {
      const mjContact& contact = data->contact[c];
      const auto ours = [&](int geom) {
        const int body = model.geom_bodyid[geom];
        return body > 0 && body <= last;
      };
      if (contact.dist < -kTouches && ours(contact.geom[0]) != ours(contact.geom[1])) return false;
    }
  }
  return true;
}

/// What MuJoCo complains of, with the line of the scene that it names: "line 58", or "Line number=58".
std::string with_line(std::string reason, const std::string& scene) {
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  for (const std::string_view before : {"line ", "Line number="}) {
    const std::size_t at = reason.rfind(before);
    if (at == std::string::npos) continue;
    const int wanted = std::atoi(reason.c_str() + at + before.size());
    std::istringstream lines(scene);
    std::string line;
    for (int number = 0; number < wanted; ++number) std::getline(lines, line);
    return cat(reason, "\n  ", line.substr(std::min(line.size(), line.find_first_not_of(' '))));
  }
  return reason;
}

}  // namespace

int Environment::id(mjtObj type, const std::string& name, std::string_view key) const {
  return id_in_scene(*model_, type, name, cat(family_.file, key.empty() ? "" : ": ", key));
}

void Environment::compile() {
  std::array<char, 1024> reason{};
  const std::string text = scene_text(family_, episode_);
  const simulation::SpecPointer spec(mj_parseXMLString(text.c_str(), nullptr, reason.data(), reason.size()));
  const auto which = [&] { return cat(family_.file, ": tool ", episode_.tool, " with object ", episode_.object); };
  require(spec != nullptr, which(), ": its MJCF cannot be read: ", with_line(reason.data(), text));
  data_.reset();  // before the model that it belongs to
  model_.reset(mj_compile(spec.get(), nullptr));
  require(model_ != nullptr, which(), ": its MJCF does not compile: ", with_line(mjs_getError(spec.get()), text));
  data_.reset(mj_makeData(model_.get()));
  require(data_ != nullptr, "MuJoCo: no memory for the state of ", which());
}

void Environment::reset(const simulation::Variation& variation) {
  simulation::install_engine_hooks();
  variation_ = variation;
  episode_ = Episode::of(family_, variation);
  compile();
  hand_ = id(mjOBJ_BODY, "hand");
  rest_ = ready_joints(std::atan2(episode_.y, episode_.x));
  mju_copy(data_->qpos, episode_.start.data(), kJoints);
  mj_forward(model_.get(), data_.get());
  observer_.begin(*model_, *data_, episode_);
  resolve_measure();
  measure_at_start_ = absolute_measure();
  path_.reset();
  asked_ = false;
  look();
}

void Environment::resolve_measure() {
  const Success& success = family_.success;
  if (success.measure == Success::Measure::kJoint) {
    const int joint = id(mjOBJ_JOINT, success.names[0], "success.joint");
    if (const int type = model_->jnt_type[joint]; type != mjJNT_SLIDE && type != mjJNT_HINGE) {
      throw Error(cat(family_.file, ": success.joint = ", success.names[0], ": expected a slide or a hinge"));
    }
    judged_[0] = model_->jnt_qposadr[joint];
    return;
  }
  const char* const key = success.measure == Success::Measure::kRise ? "success.rise" : "success.apart";
  for (std::size_t i = 0; i < success.names.size(); ++i) judged_[i] = id(mjOBJ_BODY, success.names[i], key);
}

double Environment::absolute_measure() const {
  const auto place = [&](int body) { return Vec3(Vec3::Map(data_->xpos + 3 * body)); };
  switch (family_.success.measure) {
    case Success::Measure::kJoint:
      return data_->qpos[judged_[0]];
    case Success::Measure::kRise:
      return place(judged_[0]).z();
    case Success::Measure::kApart:
      return (place(judged_[0]) - place(judged_[1])).norm();
  }
  return 0;
}

bool Environment::succeeded() const {
  const Success& success = family_.success;
  const bool reached = success.above ? measure() > success.limit : measure() < success.limit;
  return reached && data_->time > success.after;
}

void Environment::look() {
  observer_.look(*model_, *data_, observation_);
}

simulation::StepResult Environment::step(std::span<const float> action) {
  if (!std::ranges::all_of(action, [](float value) { return std::isfinite(value); })) return {.diverged = true};
  const Pose start = hand();
  const Pose command = command_of(action);
  const Vec3 way = start.rotation * command.position;
  const Vec3 turn = start.rotation * rotation_vector(command.rotation);
  HandTarget target{.velocity = way / kStepSeconds, .turning = turn / kStepSeconds};
  for (int k = 1; k <= kFrameSkip; ++k) {
    const double share = static_cast<double>(k) / kFrameSkip;
    target.pose = {rotation_of(share * turn) * start.rotation, start.position + share * way};
    mj_step1(model_.get(), data_.get());
    Joints::Map(data_->ctrl) = hand_torques(*model_, *data_, hand_, target, rest_);
    mj_step2(model_.get(), data_.get());
    if (watch_ && k % (kFrameSkip / kPicturesPerStep) == 0) watch_();
  }
  if (simulation::has_diverged(*data_)) return {.diverged = true};
  mj_kinematics(model_.get(), data_.get());
  look();
  const bool success = succeeded();
  return {.reward = success ? 1.0 : 0.0, .success = success};
}

Situation Environment::situation() const {
  return {.family = &family_,
          .tool = observer_.tool_keypoints(),
          .object = observer_.object_keypoints(*data_),
          .joints = Joints::Map(data_->qpos),
          .rest = rest_};
}

void Environment::find_path() {
  asked_ = true;
  set_out_ = data_->time;
  RandomStream stream(episode_.points, Purpose::kRollout, 2);
  const int last = id(mjOBJ_BODY, "tool");
  const auto clear = [&](const Path& path) {
    return is_clear(*model_, *data_, last, path, family_.motion.clear_until);
  };
  path_ = plan(situation(), clear, stream);
}

std::string Environment::why_lost() const {
  return asked_ && !path_ ? why_no_plan(situation()) : "";
}

bool Environment::ask_expert(std::span<float> action) {
  if (!asked_) find_path();
  if (!path_) return false;
  const Pose now = hand();
  const Pose next = ArmPose(path_->at(data_->time - set_out_ + kStepSeconds)).hand();
  const Vec3 way = now.rotation.transpose() * (next.position - now.position) / kReach;
  const Vec3 turn = rotation_vector(now.rotation.transpose() * next.rotation) / kTurn;
  for (int i = 0; i < 3; ++i) {
    action[static_cast<std::size_t>(i)] = static_cast<float>(way[i]);
    action[static_cast<std::size_t>(i + 3)] = static_cast<float>(turn[i]);
  }
  return true;
}

bool Environment::delicate() const {
  return data_->time - set_out_ > family_.motion.acts_at - kSteadySeconds;
}

}  // namespace fleet::tools
