// A task's compiled model, its names resolved once: what environments of that task share.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "metaworld/task.hpp"
#include "simulation/engine.hpp"
#include "simulation/suite.hpp"

namespace fleet::metaworld {

/// Where the official scenes lie: $METAWORLD_ASSETS, or else metaworld/ in the data directory.
[[nodiscard]] std::filesystem::path default_assets();

/// A name for all that moves in the scenes of a folder: their texts and meshes, not their textures. Sixteen hexadecimal
/// digits. Error if there is no such folder.
[[nodiscard]] std::string digest_of_scenes(const std::filesystem::path& assets);
/// The same for their textures, which decide what pictures of them look like.
[[nodiscard]] std::string digest_of_textures(const std::filesystem::path& assets);

/// One per task and rank; environments step on it in turn. Moves bodies of the model itself, as an episode's variation
/// asks, so that environments of one scene must not step at the same time.
class Scene {
 public:
  /// kPhysics: without textures, and without geoms that touch nothing: the same motion, 3 MB instead of 15, a fifth
  /// faster.
  using Detail = simulation::Suite::Detail;
  /// Of the task with this id. Error naming the file when the assets are missing, have not all that the task names, or
  /// do not compile.
  Scene(int task, const std::filesystem::path& assets, Detail detail = Detail::kPhysics);

  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] const TaskSpec& task() const { return *task_; }
  [[nodiscard]] mjModel& model() { return *model_; }
  [[nodiscard]] const mjModel& model() const { return *model_; }

  /// Id of a named thing; Error naming it and the scene if there is none.
  [[nodiscard]] int id(mjtObj type, const char* name) const;
  [[nodiscard]] int id(const Frame& frame) const;

  /// Ids of what every environment looks at.
  struct Ids {
    int hand, right_claw, left_claw;      ///< bodies
    int right_finger, left_finger;        ///< sites
    int right_pad, left_pad;              ///< geoms
    int grasped = -1;                     ///< TaskSpec::grasped, a geom
    int probe = -1;                       ///< TaskSpec::probe, by its kind
    int joint_address = -1;               ///< of TaskSpec::joint in qpos
    std::array<int, 2> position{-1, -1};  ///< ObservedObject::position of each object, by its kind
    std::array<int, 2> orientation{-1, -1};
  };
  [[nodiscard]] const Ids& ids() const { return ids_; }

 private:
  void overwrite_welds();
  void resolve();

  int id_;
  const TaskSpec* task_;
  std::filesystem::path file_;
  simulation::ModelPointer model_;
  Ids ids_{};
};

/// Where a frame with this id is now.
[[nodiscard]] Vec3 position_of(const mjData& data, Frame::Kind kind, int id);
/// Its rotation matrix, row by row.
[[nodiscard]] const mjtNum* matrix_of(const mjData& data, Frame::Kind kind, int id);

}  // namespace fleet::metaworld
