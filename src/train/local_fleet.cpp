#include "train/local_fleet.hpp"

#include <algorithm>

namespace fleet {
namespace {

/// The last of the spare buffers, if there are any.
template <class T>
std::unique_ptr<T> take(std::vector<std::unique_ptr<T>>& spare) {
  if (spare.empty()) return nullptr;
  std::unique_ptr<T> taken = std::move(spare.back());
  spare.pop_back();
  return taken;
}

}  // namespace

LocalFleet::Member& LocalFleet::member(int index) {
  const auto known = members_.find(index);
  if (known != members_.end()) return known->second;
  std::unique_ptr<Robot> robot = make_(index);
  return members_.emplace(index, Member{.index = index, .robot = std::move(robot)}).first->second;
}

const ParamVector& LocalFleet::weights(int index, ParamVector& scratch) {
  const auto known = members_.find(index);
  if (known != members_.end() && known->second.weights != nullptr) return *known->second.weights;
  if (standing_) return *standing_;
  member(index).robot->initialize(scratch);
  return scratch;
}

ParamVector& LocalFleet::own_weights(Member& member) {
  if (member.weights != nullptr) return *member.weights;
  std::unique_ptr<ParamVector> buffer = take(spare_weights_);
  if (buffer == nullptr) buffer = std::make_unique<ParamVector>(layout_);
  if (standing_) {
    std::ranges::copy(standing_->flat(), buffer->flat().begin());
  } else {
    member.robot->initialize(*buffer);
  }
  member.weights = std::move(buffer);
  awake_.push_back(&member);
  return *member.weights;
}

Optimizer& LocalFleet::own_optimizer(Member& member) {
  if (member.optimizer != nullptr) return *member.optimizer;
  member.optimizer = take(spare_optimizers_);
  if (member.optimizer == nullptr) member.optimizer = std::make_unique<Optimizer>(optimizer_, layout_->size());
  return *member.optimizer;
}

void LocalFleet::release_weights(const std::function<bool(const Member&)>& stays) {
  std::vector<Member*> staying;
  for (Member* member : awake_) {
    if (stays(*member)) {
      staying.push_back(member);
    } else {
      spare_weights_.push_back(std::move(member->weights));
    }
  }
  awake_ = std::move(staying);
}

void LocalFleet::release_optimizer(Member& member) {
  if (member.optimizer == nullptr) return;
  member.optimizer->reset();
  spare_optimizers_.push_back(std::move(member.optimizer));
}

}  // namespace fleet
