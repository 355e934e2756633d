// Toy robots that draw batches from a number, as robots in other processes do: here and there they answer the same.
#pragma once

#include <numeric>
#include <vector>

#include "toy_fleet.hpp"

namespace fleet::toy {

inline const std::vector<int> kOutsideSamples = {8, 5, 0, 9, 4, 6};  // robot 2 has no data
inline constexpr std::uint64_t kDraws = std::uint64_t{1} << 53U;

class DrawingRobot final : public ToyRobot {
 public:
  using ToyRobot::ToyRobot;
  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return gradient_by(at, batch, stream.below(kDraws), gradient);
  }
  double gradient_by(const ParamVector& at, int batch, std::uint64_t draw, ParamVector& gradient) {
    RandomStream own(draw, Purpose::kTest);
    return ToyRobot::loss_gradient(at, batch, own, gradient);
  }
};

/// Knows its robots for what they are.
class DrawingWorkload final : public ToyWorkload {
 public:
  DrawingWorkload() : ToyWorkload(kOutsideSamples) {}
  std::unique_ptr<Robot> make_robot(int robot) override {
    return std::make_unique<DrawingRobot>(symmetry().layout(), robot, static_cast<int>(steps_per_epoch(robot)), robot);
  }
  std::unique_ptr<Robot> make_joint_robot() override {
    return std::make_unique<DrawingRobot>(symmetry().layout(), 0, 20, 0);
  }
};

}  // namespace fleet::toy
