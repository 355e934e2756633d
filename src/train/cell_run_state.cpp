#include <concepts>
#include <utility>

#include "base/error.hpp"
#include "train/cell_run.hpp"

namespace fleet {
namespace {

template <class T, class Record>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Record>;

template <MaybeConst<Metric> T>
void each_field(T& metric, auto& visit) {
  visit(metric.robot, metric.split, metric.name, metric.value);
}
template <MaybeConst<Measurement> T>
void each_field(T& m, auto& visit) {
  visit(m.instrument, m.subject, m.split, m.metric, m.robot, m.other, m.at, m.value);
}
template <MaybeConst<RoundRecord> T>
void each_field(T& round, auto& visit) {
  visit(round.round, round.epoch, round.participants, round.merge_iterations, round.metrics, round.measurements,
        round.seconds, round.bytes_moved);
}

using NamedSeries = std::pair<std::string, std::vector<double>>;  // of AlignmentSeries
template <MaybeConst<NamedSeries> T>
void each_field(T& series, auto& visit) {
  visit(series.first, series.second);
}

/// Writes fields one after another.
class Writing {
 public:
  explicit Writing(StateWriter& state) : state_(state) {}
  void operator()(const auto&... fields) { (put(fields), ...); }

 private:
  void put(const PlainState auto& value) { state_.write(value); }
  void put(const std::string& text) { state_.write_text(text); }
  void put(const std::vector<double>& values) { state_.write_all(std::span(values)); }
  template <class Record>
  void put(const std::vector<Record>& records) {
    state_.write(static_cast<std::uint64_t>(records.size()));
    for (const Record& record : records) each_field(record, *this);
  }
  StateWriter& state_;
};

/// Reads what Writing has written.
class Reading {
 public:
  explicit Reading(StateReader& state) : state_(state) {}
  void operator()(auto&... fields) { (get(fields), ...); }

 private:
  template <PlainState T>
  void get(T& value) {
    value = state_.read<T>();
  }
  void get(std::string& text) { text = state_.read_text(); }
  void get(std::vector<double>& values) { values = state_.read_all<double>(); }
  template <class Record>
  void get(std::vector<Record>& records) {
    records.clear();
    const auto count = state_.read<std::uint64_t>();
    for (std::uint64_t i = 0; i < count; ++i) each_field(records.emplace_back(), *this);
  }
  StateReader& state_;
};

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
  Writing write(state);
  each_field(record_, write);
  write(history_);
  state.write(outcome_.has_value());
  if (outcome_) {
    state.write_all(std::span<const float>(outcome_->merged.flat()));
    state.write(outcome_->iterations);
    state.write_all(std::span<const double>(outcome_->objective));
    write(std::vector<NamedSeries>(outcome_->series.begin(), outcome_->series.end()));
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
  Reading read(state);
  each_field(record_, read);
  read(history_);
  if (state.read<bool>()) {
    outcome_.emplace(MergeOutcome{.merged = ParamVector(workload_.symmetry().layout())});
    state.read_into(outcome_->merged.flat());
    outcome_->iterations = state.read<int>();
    outcome_->objective = state.read_all<double>();
    std::vector<NamedSeries> series;
    read(series);
    outcome_->series = {series.begin(), series.end()};
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
