#include "base/error.hpp"
#include "train/cell_run.hpp"

namespace fleet {
namespace {

void write_round(const RoundRecord& round, StateWriter& state) {
  state.write(round.round);
  state.write(round.epoch);
  state.write(round.participants);
  state.write(round.merge_iterations);
  state.write(static_cast<std::uint64_t>(round.metrics.size()));
  for (const Metric& metric : round.metrics) {
    state.write(metric.robot);
    state.write_text(metric.split);
    state.write_text(metric.name);
    state.write(metric.value);
  }
  state.write(round.seconds);
  state.write(round.bytes_moved);
}

RoundRecord read_round(StateReader& state) {
  RoundRecord round;
  round.round = state.read<int>();
  round.epoch = state.read<int>();
  round.participants = state.read<int>();
  round.merge_iterations = state.read<int>();
  const auto metrics = state.read<std::uint64_t>();
  for (std::uint64_t i = 0; i < metrics; ++i) {
    Metric& metric = round.metrics.emplace_back();
    metric.robot = state.read<int>();
    metric.split = state.read_text();
    metric.name = state.read_text();
    metric.value = state.read<double>();
  }
  round.seconds = state.read<PhaseSeconds>();
  round.bytes_moved = state.read<std::uint64_t>();
  return round;
}

/// Keeps the first Error of several steps, for a rank that has to go through the motions with the others all the same.
class FirstError {
 public:
  template <class Step>
  void attempt(const Step& step) {
    if (!message_.empty()) return;
    try {
      step();
    } catch (const Error& error) {
      message_ = error.what();
    }
  }
  void rethrow() const { require(message_.empty(), message_); }

 private:
  std::string message_;
};

}  // namespace

void CellRun::save() {
  if (checkpointing_.store == nullptr) return;
  try {
    write_records();
  } catch (const Error& error) {
    if (comm_.is_root()) checkpointing_.store->warn(error.what());
  }
  since_save_.lap();
  charge(&PhaseSeconds::other);
}

void CellRun::write_records() {
  CheckpointStore& store = *checkpointing_.store;
  FirstError failure;
  if (comm_.is_root()) {
    failure.attempt([&] {
      store.create();
      store.append(cell_state());
    });
  }
  for (int robot = 0, rank = 0; robot < placement_.robots; ++robot) {
    while (robot >= placement_.end(rank)) ++rank;
    std::string state;
    if (comm_.rank() == rank) {
      failure.attempt(
          [&] { state = member_state(members_[static_cast<std::size_t>(robot - placement_.begin(rank))]); });
    }
    comm_.relay(state, rank, 0);
    if (comm_.is_root()) failure.attempt([&] { store.append(state); });
  }
  comm_.see_through([&] { failure.rethrow(); });
  comm_.see_through([&] {
    if (comm_.is_root()) store.commit();
  });
}

std::vector<RoundRecord> CellRun::resume() {
  if (checkpointing_.store == nullptr) return {};
  CheckpointStore& store = *checkpointing_.store;
  std::string state;
  comm_.see_through([&] {
    if (comm_.is_root() && store.open()) state = store.next();
  });
  comm_.broadcast(state);
  if (state.empty()) return {};
  comm_.see_through([&] { load_cell_state(state); });
  FirstError failure;
  for (int robot = 0, rank = 0; robot < placement_.robots; ++robot) {
    while (robot >= placement_.end(rank)) ++rank;
    if (comm_.is_root()) failure.attempt([&] { state = store.next(); });
    comm_.relay(state, 0, rank);
    if (comm_.rank() != rank) continue;
    failure.attempt([&] { load_member_state(state, static_cast<std::size_t>(robot - placement_.begin(rank))); });
  }
  comm_.see_through([&] { failure.rethrow(); });
  since_save_.lap();
  charge(&PhaseSeconds::other);
  return history_;
}

std::string CellRun::cell_state() const {
  StateWriter state;
  state.write(placement_.robots);
  state.write(round_);
  state.write(phase_);
  write_round(record_, state);
  state.write(static_cast<std::uint64_t>(history_.size()));
  for (const RoundRecord& round : history_) write_round(round, state);
  state.write(outcome_.has_value());
  if (outcome_) state.write_all(std::span<const float>(outcome_->merged.flat()));
  if (merger_ != nullptr) merger_->save(kWholeFleet, state);
  return state.bytes();
}

void CellRun::load_cell_state(std::string_view bytes) {
  StateReader state(bytes);
  const int robots = state.read<int>();
  require(robots == placement_.robots, "the checkpoint is of ", robots, " robots, the cell has ", placement_.robots);
  round_ = state.read<int>();
  phase_ = state.read<Phase>();
  record_ = read_round(state);
  history_.resize(static_cast<std::size_t>(state.read<std::uint64_t>()));
  for (RoundRecord& round : history_) round = read_round(state);
  if (state.read<bool>()) {
    outcome_.emplace(MergeOutcome{.merged = ParamVector(workload_.symmetry().layout())});
    state.read_into(outcome_->merged.flat());
  }
  if (merger_ != nullptr) merger_->load(kWholeFleet, state);
}

std::string CellRun::member_state(const Member& member) const {
  StateWriter state;
  state.write(member.steps_left);
  member.robot->save(state);
  if (merger_ != nullptr) merger_->save(member.index, state);
  const auto row = static_cast<std::size_t>(&member - members_.data());
  const bool moved = outcome_ && row < outcome_->elements.size();
  state.write(static_cast<std::uint64_t>(moved ? outcome_->elements[row].size() : 0));
  for (std::size_t group = 0; moved && group < outcome_->elements[row].size(); ++group) {
    state.write_all(std::span<const int>(outcome_->elements[row][group]));
  }
  return state.bytes();
}

void CellRun::load_member_state(std::string_view bytes, std::size_t row) {
  StateReader state(bytes);
  Member& member = members_[row];
  member.steps_left = state.read<std::int64_t>();
  member.robot->load(state);
  if (merger_ != nullptr) merger_->load(member.index, state);
  const auto groups = state.read<std::uint64_t>();
  if (groups > 0) {
    GroupElement& element = outcome_->elements.emplace_back();
    for (std::uint64_t group = 0; group < groups; ++group) element.push_back(state.read_all<int>());
  }
  require(state.at_end(), "the checkpoint holds more of robot ", member.index, " than is known of it");
}

}  // namespace fleet
