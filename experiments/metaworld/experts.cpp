#include "metaworld/experts.hpp"

namespace fleet::metaworld {

View view_of(const Observation& observation) {
  const auto at = [&](std::size_t i) { return Vec3(observation[i], observation[i + 1], observation[i + 2]); };
  return {.hand = at(0), .object = at(4), .second = at(11), .goal = at(36), .opening = observation[3]};
}

Action expert_action(const TaskSpec& task, const Observation& observation) {
  const View view = view_of(observation);
  const Move move = task.expert(view);
  const Vec3 command = move.gain * (move.destination - view.hand);
  return {static_cast<float>(command.x()), static_cast<float>(command.y()), static_cast<float>(command.z()),
          static_cast<float>(move.grip)};
}

}  // namespace fleet::metaworld
