// One robot at one task: the loop of action and observation, as the reference environment runs it.
//
// A step allocates nothing. Several environments may share a Scene and step in turn.
#pragma once

#include <vector>

#include "metaworld/placement.hpp"
#include "metaworld/scene.hpp"

namespace fleet::metaworld {

class Environment final : public simulation::Environment {
 public:
  static constexpr int kFrameSkip = 5;  ///< simulator steps of 2.5 ms in a step

  /// The scene must outlive it.
  explicit Environment(Scene& scene);

  [[nodiscard]] int task() const override { return scene_.id(); }

  /// Settles the arm and places the objects: some 250 simulator steps.
  void reset(const Variation& variation);
  void reset(const simulation::Variation& variation) override { reset(Variation::of(variation)); }
  [[nodiscard]] simulation::Start start() const override;
  void restore(const simulation::Start& start) override;

  simulation::StepResult step(std::span<const float> action) override;

  /// Goal visible, not clipped right after reset().
  [[nodiscard]] std::span<const double> observation() const override { return observation_; }
  [[nodiscard]] const Observation& observed() const { return observation_; }

  bool ask_expert(std::span<float> action) override;

  [[nodiscard]] simulation::Physics physics() override { return {&scene_.model(), data_.get()}; }
  void mark_goal() override;

  [[nodiscard]] Scene& scene() const { return scene_; }
  [[nodiscard]] mjData& data() { return *data_; }
  [[nodiscard]] const mjData& data() const { return *data_; }

 private:
  void hold_hand(const Vec3& position);
  void settle();
  /// Where this episode has it; other episodes of the scene move it, too.
  void put_moved_body();
  void move_hand(std::span<const float> action);
  /// The 18 numbers of now.
  void look(std::span<double, kCurrentSize> into) const;
  void observe_object(std::size_t index, std::span<double, 7> into) const;
  [[nodiscard]] Situation situation() const;
  [[nodiscard]] bool touched_by(int pad) const;

  Scene& scene_;
  simulation::DataPointer data_;
  Variation variation_;
  Vec3 target_ = Vec3::Zero();
  MovedBody moved_;
  Observation observation_{};
  std::array<double, kCurrentSize> last_{};  // not clipped
};

}  // namespace fleet::metaworld
