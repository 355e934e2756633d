#include "base/error.hpp"
#include "train/cell_run.hpp"

namespace fleet {
namespace {

void write_measurement(const Measurement& measurement, StateWriter& state) {
  state.write_text(measurement.instrument);
  state.write_text(measurement.subject);
  state.write_text(measurement.split);
  state.write_text(measurement.metric);
  state.write(measurement.robot);
  state.write(measurement.other);
  state.write(measurement.at);
  state.write(measurement.value);
}

Measurement read_measurement(StateReader& state) {
  Measurement measurement;
  measurement.instrument = state.read_text();
  measurement.subject = state.read_text();
  measurement.split = state.read_text();
  measurement.metric = state.read_text();
  measurement.robot = state.read<int>();
  measurement.other = state.read<int>();
  measurement.at = state.read<double>();
  measurement.value = state.read<double>();
  return measurement;
}

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
  state.write(static_cast<std::uint64_t>(round.measurements.size()));
  for (const Measurement& measurement : round.measurements) write_measurement(measurement, state);
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
  const auto measurements = state.read<std::uint64_t>();
  for (std::uint64_t i = 0; i < measurements; ++i) round.measurements.push_back(read_measurement(state));
  round.seconds = state.read<PhaseSeconds>();
  round.bytes_moved = state.read<std::uint64_t>();
  return round;
}

void write_series(const AlignmentSeries& series, StateWriter& state) {
  state.write(static_cast<std::uint64_t>(series.size()));
  for (const auto& [name, values] : series) {
    state.write_text(name);
    state.write_all(std::span(values));
  }
}

AlignmentSeries read_series(StateReader& state) {
  AlignmentSeries series;
  const auto count = state.read<std::uint64_t>();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = state.read_text();
    series[name] = state.read_all<double>();
  }
  return series;
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
  if (outcome_) {
    state.write_all(std::span<const float>(outcome_->merged.flat()));
    state.write(outcome_->iterations);
    state.write_all(std::span<const double>(outcome_->objective));
    write_series(outcome_->series, state);
  }
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
    outcome_->iterations = state.read<int>();
    outcome_->objective = state.read_all<double>();
    outcome_->series = read_series(state);
  }
  if (merger_ != nullptr) merger_->load(kWholeFleet, state);
}

std::string CellRun::member_state(const Member& member) const {
  StateWriter state;
  state.write(member.steps_left);
  member.robot->save(state);
  if (merger_ != nullptr) merger_->save(member.index, state);
  const auto row = static_cast<std::size_t>(&member - members_.data());
  const bool permuted = outcome_ && row < outcome_->elements.size();
  state.write(permuted);
  if (permuted) {
    for (const Permutation& permutation : outcome_->elements[row]) state.write_all(std::span(permutation));
  }
  const bool fitted = outcome_ && row < outcome_->bases.size();
  state.write(fitted);
  if (fitted) {
    for (const RowMatrix& basis : outcome_->bases[row])
      state.write_all(std::span(basis.data(), static_cast<std::size_t>(basis.size())));
  }
  return state.bytes();
}

void CellRun::load_member_state(std::string_view bytes, std::size_t row) {
  StateReader state(bytes);
  Member& member = members_[row];
  member.steps_left = state.read<std::int64_t>();
  member.robot->load(state);
  if (merger_ != nullptr) merger_->load(member.index, state);
  if (state.read<bool>()) {
    GroupElement& element = outcome_->elements.emplace_back(workload_.symmetry().identity());
    for (Permutation& permutation : element) state.read_into(std::span(permutation));
  }
  if (state.read<bool>()) {
    RelaxedElement& bases = outcome_->bases.emplace_back(to_matrices(workload_.symmetry().identity()));
    for (RowMatrix& basis : bases) state.read_into(std::span(basis.data(), static_cast<std::size_t>(basis.size())));
  }
  require(state.at_end(), "the checkpoint holds more of robot ", member.index, " than is known of it");
}

}  // namespace fleet
