#include "tools/observation.hpp"

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr std::size_t kKeypointNumbers = 3 * (kToolKeypoints + kObjectKeypoints) + 4;
constexpr std::size_t kStateNumbers = 6 + kJoints + 6 + 6;

/// Writes numbers one after another.
class Writer {
 public:
  explicit Writer(std::span<double> into) : next_(into.data()) {}
  void add(double value) { *next_++ = value; }
  void add(const Vec3& v) {
    Vec3::Map(next_) = v;
    next_ += 3;
  }
  void add(const Pose& pose) {
    add(pose.position);
    add(rotation_vector(pose.rotation));
  }

 private:
  double* next_;
};

}  // namespace

int id_in_scene(const mjModel& model, mjtObj type, const std::string& name, const std::string& where) {
  if (const int id = mj_name2id(&model, type, name.c_str()); id >= 0) return id;
  const bool bodies = type == mjOBJ_BODY;
  std::string known;  // behind the world and the arm with its hand, or the arm's joints
  for (int id = bodies ? kJoints + 2 : kJoints; id < (bodies ? model.nbody : model.njnt); ++id) {
    const char* const other = mj_id2name(&model, type, id);
    if (other != nullptr) known += cat(known.empty() ? "" : ", ", other);
  }
  throw Error(cat(where, ": the scene has no ", mju_type2Str(type), ' ', name,
                  known.empty() ? "" : "; the tool's and the object's are ", known));
}

std::size_t ObservationOptions::size() const {
  switch (kind) {
    case Kind::kKeypoints:
      return kKeypointNumbers;
    case Kind::kState:
      return kStateNumbers;
    case Kind::kCloud:
      return 2 * static_cast<std::size_t>(points) * PointCloud::kNumbers;
  }
  return 0;
}

Pose Observer::pose_of(const mjData& data, int body) {
  return {Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(data.xmat + 9 * body),
          Vec3::Map(data.xpos + 3 * body)};
}

void Observer::begin(const mjModel& model, const mjData& /*data*/, const Episode& episode) {
  hand_ = id_in_scene(model, mjOBJ_BODY, "hand", family_.file);
  tool_ = id_in_scene(model, mjOBJ_BODY, "tool", family_.file);
  const Fields tool = tool_fields(family_, episode);
  for (std::size_t i = 0; i < tool_keypoints_.size(); ++i) {
    tool_keypoints_[i] = episode.grip * evaluate(family_.tool_keypoints[i], tool);
  }
  const Fields object = object_fields(family_, episode);
  std::vector<int> bodies;
  for (std::size_t i = 0; i < object_keypoints_.size(); ++i) {
    const ObjectKeypoint& keypoint = family_.object_keypoints[i];
    const std::string where = cat(family_.file, ": object.keypoints.", keypoint.name, ".body");
    object_keypoints_[i] = {id_in_scene(model, mjOBJ_BODY, keypoint.body, where), evaluate(keypoint.at, object)};
    bodies.push_back(object_keypoints_[i].body);
  }
  if (options_.kind != ObservationOptions::Kind::kCloud) return;
  try {
    cloud_.begin(model, {.tool = tool_, .objects = bodies, .hand = hand_, .points = options_.points}, episode);
  } catch (const Error& error) {
    throw Error(cat(family_.file, ": ", error.what()));
  }
}

std::array<Vec3, kObjectKeypoints> Observer::object_keypoints(const mjData& data) const {
  std::array<Vec3, kObjectKeypoints> points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = pose_of(data, object_keypoints_[i].body) * object_keypoints_[i].at;
  }
  return points;
}

void Observer::look(const mjModel& model, mjData& data, std::span<double> into) {
  const Pose hand = this->hand(data);
  Writer writer(into);
  switch (options_.kind) {
    case ObservationOptions::Kind::kKeypoints: {
      const Pose world = hand.inverse();
      for (const Vec3& point : tool_keypoints_) writer.add(point);
      for (const Vec3& point : object_keypoints(data)) writer.add(world * point);
      writer.add(Vec3(-hand.rotation.row(2)));
      writer.add(hand.position.z() - kTableTop);
      return;
    }
    case ObservationOptions::Kind::kState:
      writer.add(hand);
      for (int i = 0; i < kJoints; ++i) writer.add(data.qpos[i]);
      writer.add(pose_of(data, object_keypoints_[0].body));
      writer.add(pose_of(data, tool_));
      return;
    case ObservationOptions::Kind::kCloud:
      cloud_.look(model, data, into);
      return;
  }
}

}  // namespace fleet::tools
