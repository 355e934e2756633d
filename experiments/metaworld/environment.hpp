// One robot at one task: the loop of action and observation, as the reference environment runs it.
//
// A step allocates nothing. Several environments may share a Scene and step in turn.
#pragma once

#include <vector>

#include "metaworld/placement.hpp"
#include "metaworld/scene.hpp"

namespace fleet::metaworld {

struct StepResult {
  bool success = false;   ///< the task is done in this state
  bool diverged = false;  ///< the simulator met something not finite; the episode is lost
};

/// The state that an episode begins in, to begin it again without settling the arm anew.
struct Start {
  std::vector<mjtNum> state;
  Observation observation{};
  Vec3 target = Vec3::Zero();
  MovedBody moved;
};

class Environment {
 public:
  static constexpr int kFrameSkip = 5;  ///< simulator steps of 2.5 ms in a step

  /// The scene must outlive it.
  explicit Environment(Scene& scene);

  /// Settles the arm and places the objects: some 250 simulator steps.
  void reset(const Variation& variation);
  /// Begins again where a reset() of an environment of this task had begun.
  void reset(const Start& start);
  /// The present state, to be called right after reset().
  [[nodiscard]] Start start() const;

  StepResult step(const Action& action);

  /// Of now: goal visible, not clipped right after reset().
  [[nodiscard]] const Observation& observation() const { return observation_; }
  [[nodiscard]] const Vec3& target() const { return target_; }
  [[nodiscard]] Scene& scene() const { return scene_; }
  [[nodiscard]] mjData& data() { return *data_; }
  [[nodiscard]] const mjData& data() const { return *data_; }

 private:
  void hold_hand(const Vec3& position);
  void settle();
  void move_hand(const Action& action);
  [[nodiscard]] bool diverged() const;
  /// The 18 numbers of now.
  void look(std::span<double, kCurrentSize> into) const;
  void observe_object(std::size_t index, std::span<double, 7> into) const;
  [[nodiscard]] Situation situation() const;
  [[nodiscard]] bool touched_by(int pad) const;

  Scene& scene_;
  std::unique_ptr<mjData, FreeData> data_;
  Vec3 target_ = Vec3::Zero();
  MovedBody moved_;
  Observation observation_{};
  std::array<double, kCurrentSize> last_{};  // not clipped
};

}  // namespace fleet::metaworld
