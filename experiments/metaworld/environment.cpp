#include "metaworld/environment.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "metaworld/experts.hpp"

namespace fleet::metaworld {
namespace {

// The box that observed hand positions are clipped to.
const Vec3 kHandLow(-0.525, 0.348, -0.0525);
const Vec3 kHandHigh(0.525, 1.025, 0.7);
constexpr double kFullyOpen = 0.1;     // metres between the claws
constexpr float kActionScale = 0.01F;  // metres a step and unit of action
constexpr int kSettlingSteps = 50;
constexpr std::size_t kGoalIndex = 2 * kCurrentSize;

/// The quaternion (x, y, z, w) of a rotation matrix as scipy makes it, with its sign: the largest of the diagonal and
/// the trace decides which component comes first.
std::array<double, 4> scipy_quaternion(const mjtNum* m) {
  const std::array<double, 4> decision = {m[0], m[4], m[8], m[0] + m[4] + m[8]};
  const auto choice = static_cast<std::size_t>(std::ranges::max_element(decision) - decision.begin());
  std::array<double, 4> q{};
  const auto at = [m](std::size_t row, std::size_t column) { return m[3 * row + column]; };
  if (choice == 3) {
    q = {at(2, 1) - at(1, 2), at(0, 2) - at(2, 0), at(1, 0) - at(0, 1), 1 + decision[3]};
  } else {
    const std::size_t i = choice;
    const std::size_t j = (i + 1) % 3;
    const std::size_t k = (j + 1) % 3;
    q[i] = 1 - decision[3] + 2 * at(i, i);
    q[j] = at(j, i) + at(i, j);
    q[k] = at(k, i) + at(i, k);
    q[3] = at(k, j) - at(j, k);
  }
  const double norm = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  for (double& value : q) value /= norm;
  return q;
}

void clip_hand(double* hand) {
  for (int i = 0; i < 3; ++i) hand[i] = std::clamp(hand[i], kHandLow[i], kHandHigh[i]);
}

void put(const Vec3& v, double* into) {
  Vec3::Map(into) = v;
}

}  // namespace

Environment::Environment(Scene& scene) : scene_(scene), data_(mj_makeData(&scene.model())) {
  require(data_ != nullptr, "MuJoCo: no memory for the state of ", scene.task().name);
}

void Environment::hold_hand(const Vec3& position) {
  mju_copy3(data_->mocap_pos, position.data());
  constexpr std::array<mjtNum, 4> kPalmDown = {1, 0, 1, 0};  // the engine normalises it
  mju_copy4(data_->mocap_quat, kPalmDown.data());
}

void Environment::settle() {
  for (int i = 0; i < kSettlingSteps; ++i) {
    hold_hand(scene_.task().hand);
    data_->ctrl[0] = -1;
    data_->ctrl[1] = 1;
    for (int k = 0; k < kFrameSkip; ++k) mj_step(&scene_.model(), data_.get());
  }
}

void Environment::reset(const Variation& variation) {
  variation_ = variation;
  // The reference settles and places twice, with the bodies that the first placement has moved in place at the second.
  // It is enough to move them: no placement reads of a settled arm where it moves a body.
  mj_resetData(&scene_.model(), data_.get());
  mj_forward(&scene_.model(), data_.get());
  Stage rehearsal(scene_, *data_, variation);
  scene_.task().place(rehearsal);

  mj_resetData(&scene_.model(), data_.get());
  settle();
  Stage stage(scene_, *data_, variation);
  scene_.task().place(stage);
  target_ = stage.target;
  moved_ = stage.moved();

  look(last_);
  std::ranges::copy(last_, observation_.begin());
  std::ranges::copy(last_, observation_.begin() + kCurrentSize);
  put(target_, &observation_[kGoalIndex]);
}

simulation::Start Environment::start() const {
  // Where the target is and what has been moved is no part of the simulator's state.
  const auto size = static_cast<std::size_t>(mj_stateSize(&scene_.model(), mjSTATE_INTEGRATION));
  simulation::Start start{.variation = variation_.numbers(), .state = std::vector<double>(size)};
  mj_getState(&scene_.model(), data_.get(), start.state.data(), mjSTATE_INTEGRATION);
  start.state.insert(start.state.end(), observation_.begin(), observation_.end());
  start.state.insert(start.state.end(), target_.begin(), target_.end());
  start.state.push_back(moved_.id);
  start.state.insert(start.state.end(), moved_.position.begin(), moved_.position.end());
  return start;
}

void Environment::restore(const simulation::Start& start) {
  variation_ = Variation::of(start.variation);
  mj_resetData(&scene_.model(), data_.get());
  mj_setState(&scene_.model(), data_.get(), start.state.data(), mjSTATE_INTEGRATION);
  const double* rest = start.state.data() + mj_stateSize(&scene_.model(), mjSTATE_INTEGRATION);
  std::copy_n(rest, kObservationSize, observation_.begin());
  std::copy_n(rest, kCurrentSize, last_.begin());
  rest += kObservationSize;
  target_ = Vec3::Map(rest);
  moved_ = {.id = static_cast<int>(rest[3]), .position = Vec3::Map(rest + 4)};
  put_moved_body();
}

bool Environment::ask_expert(std::span<float> action) {
  std::ranges::copy(expert_action(scene_.task(), observation_), action.begin());
  return true;
}

void Environment::mark_goal() {
  // Where the goal is shown does not bear on the simulation, which computes the site's place anew.
  const int site = mj_name2id(&scene_.model(), mjOBJ_SITE, "goal");
  if (site >= 0) put(target_, data_->site_xpos + 3 * site);
}

void Environment::move_hand(std::span<const float> action) {
  const TaskSpec& task = scene_.task();
  Vec3 hand = Vec3::Map(data_->mocap_pos);
  for (int i = 0; i < 3; ++i) {
    // In single precision, as the reference's actions are.
    const float moved = std::clamp(action[static_cast<std::size_t>(i)], -1.0F, 1.0F) * kActionScale;
    hand[i] = std::clamp(hand[i] + static_cast<double>(moved), task.hand_low[i], task.hand_high[i]);
  }
  hold_hand(hand);
  data_->ctrl[0] = action[3];
  data_->ctrl[1] = -action[3];
}

void Environment::put_moved_body() {
  if (moved_.id != 0) put(moved_.position, scene_.model().body_pos + 3 * moved_.id);
}

simulation::StepResult Environment::step(std::span<const float> action) {
  mjModel& model = scene_.model();
  put_moved_body();
  move_hand(action);
  for (int k = 0; k < kFrameSkip; ++k) mj_step(&model, data_.get());
  mj_forward(&model, data_.get());
  if (simulation::has_diverged(*data_)) return {.diverged = true};

  std::ranges::copy(last_, observation_.begin() + kCurrentSize);
  look(last_);
  std::ranges::copy(last_, observation_.begin());
  put(target_, &observation_[kGoalIndex]);
  clip_hand(&observation_[0]);
  clip_hand(&observation_[kCurrentSize]);
  const TaskSpec& task = scene_.task();
  observation_[kGoalIndex + 2] = std::clamp(target_.z(), task.goal_low_z, task.goal_high_z);
  const bool success = task.success.measure(situation()) <= task.success.limit;
  return {.reward = success ? 1.0 : 0.0, .success = success};
}

void Environment::look(std::span<double, kCurrentSize> into) const {
  const Scene::Ids& ids = scene_.ids();
  const auto body = [&](int id) { return position_of(*data_, Frame::Kind::kBody, id); };
  put(body(ids.hand), &into[0]);
  into[3] = std::clamp((body(ids.right_claw) - body(ids.left_claw)).norm() / kFullyOpen, 0.0, 1.0);
  observe_object(0, into.subspan<4, 7>());
  observe_object(1, into.subspan<11, 7>());
}

void Environment::observe_object(std::size_t index, std::span<double, 7> into) const {
  using enum ObservedObject::Quaternion;
  std::ranges::fill(into, 0.0);
  const auto& object = scene_.task().objects[index];
  if (!object) return;
  const Scene::Ids& ids = scene_.ids();
  Vec3 position = position_of(*data_, object->position.kind, ids.position[index]) + object->offset;
  if (object->rim > 0) {
    const double angle = data_->qpos[ids.joint_address];
    position += object->rim * Vec3(std::sin(angle), -std::cos(angle), 0);
  }
  put(position, into.data());
  if (object->quaternion == kIdentity) into[3] = 1;
  if (object->quaternion == kBody) mju_copy4(&into[3], data_->xquat + 4 * ids.orientation[index]);
  if (object->quaternion == kMatrix) {
    const auto quaternion = scipy_quaternion(matrix_of(*data_, object->orientation.kind, ids.orientation[index]));
    std::ranges::copy(quaternion, &into[3]);
  }
}

Situation Environment::situation() const {
  const Scene::Ids& ids = scene_.ids();
  const TaskSpec& task = scene_.task();
  const auto site = [&](int id) { return position_of(*data_, Frame::Kind::kSite, id); };
  return {.object = Vec3::Map(&last_[4]),
          .second = Vec3::Map(&last_[11]),
          .target = target_,
          .fingers = (site(ids.right_finger) + site(ids.left_finger)) / 2,
          .probe = task.probe ? position_of(*data_, task.probe->kind, ids.probe) : Vec3(Vec3::Zero()),
          .joint = ids.joint_address >= 0 ? data_->qpos[ids.joint_address] : 0,
          .opening = last_[3],
          .grasped = ids.grasped >= 0 && touched_by(ids.left_pad) && touched_by(ids.right_pad)};
}

/// Whether this finger pad presses on TaskSpec::grasped: the normal forces of their contacts.
bool Environment::touched_by(int pad) const {
  double force = 0;
  for (int i = 0; i < data_->ncon; ++i) {
    const mjContact& contact = data_->contact[i];
    const int grasped = scene_.ids().grasped;
    const bool between = (contact.geom[0] == pad && contact.geom[1] == grasped) ||
                         (contact.geom[0] == grasped && contact.geom[1] == pad);
    if (between && contact.efc_address >= 0) force += data_->efc_force[contact.efc_address];
  }
  return force > 0;
}

}  // namespace fleet::metaworld
