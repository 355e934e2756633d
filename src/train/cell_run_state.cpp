#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
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
  visit(round.round, round.epoch, round.participants, round.dropped, round.late, round.merge_iterations, round.metrics,
        round.measurements, round.seconds, round.processor_seconds, round.bytes_moved, round.cost);
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

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// A rank's robots go through the root in packages of about so many bytes.
constexpr std::size_t kPackage = std::size_t{1} << 22U;

/// Records on their way from rank to rank.
struct Package {
  std::vector<std::string> records;
  bool is_last = true;  ///< from or to this rank
};

std::string packed(const Package& package) {
  StateWriter state;
  state.write(package.is_last);
  state.write(static_cast<std::uint64_t>(package.records.size()));
  for (const std::string& record : package.records) state.write_text(record);
  return state.bytes();
}

Package unpacked(std::string_view bytes) {
  StateReader state(bytes);
  Package package{.records = {}, .is_last = state.read<bool>()};
  package.records.resize(state.read<std::uint64_t>());
  for (std::string& record : package.records) record = state.read_text();
  return package;
}

}  // namespace

/// Keeps the first Error of several steps, for a rank that has to go through the motions with the others all the same.
class CellRun::FirstError {
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

bool CellRun::save_is_due() {
  if (is_done()) return false;
  bool due = checkpointing_.when.due_after(round_ - 1);
  if (!checkpointing_.pauses()) return due;
  constexpr double kShort = 0.1;  // of the time between checkpoints
  const double interval = checkpointing_.when.every_minutes * 60.0;
  std::array<double, 2> seconds{since_begin_.seconds(), since_save_.seconds()};
  comm_.broadcast(std::span<double>(seconds));
  rounds_are_short_ = seconds[0] < kShort * interval;
  return due || (rounds_are_short_ && seconds[1] >= interval);
}

bool CellRun::shares_training() const {
  return checkpointing_.training != nullptr && (merger_ == nullptr || merger_->local_term(0, nullptr) == nullptr);
}

void CellRun::save() {
  if (checkpointing_.store == nullptr) return;
  save_in(*checkpointing_.store);
  since_save_.lap();
}

void CellRun::save_in(CheckpointStore& store) {
  record_.processor_seconds += processor_seconds_since();
  record_.bytes_moved += bytes_moved_since();
  try {
    write_records(store);
  } catch (const Error& error) {
    if (comm_.is_root()) store.warn(error.what());
  }
  charge(&PhaseSeconds::other);
}

void CellRun::write_records(CheckpointStore& store) {
  FirstError failure;
  if (comm_.is_root()) {
    failure.attempt([&] {
      store.create();
      store.append(cell_state(kept_merger(store)));
    });
  }
  for (int rank = 0; rank < comm_.size(); ++rank) send_members(rank, store, failure);
  comm_.see_through([&] { failure.rethrow(); });
  comm_.see_through([&] {
    if (!comm_.is_root()) return;
    store.append({});
    store.commit();
  });
}

void CellRun::send_members(int rank, CheckpointStore& store, FirstError& failure) {
  if (comm_.rank() != rank && !comm_.is_root()) return;
  const std::vector<int> rows = shown();
  auto next = fleet_.members().begin();
  for (bool more = true; more;) {
    Package package;
    if (comm_.rank() == rank) {
      failure.attempt([&] {
        std::size_t size = 0;
        for (; next != fleet_.members().end() && size < kPackage; ++next) {
          size += package.records.emplace_back(member_state(next->second, rows, kept_merger(store))).size();
        }
        package.is_last = next == fleet_.members().end();
      });
    }
    std::string bytes = packed(package);
    comm_.relay(bytes, rank, 0);
    if (comm_.is_root()) package = unpacked(bytes);
    more = !package.is_last;
    if (!comm_.is_root()) continue;
    for (const std::string& record : package.records) failure.attempt([&] { store.append(record); });
  }
}

std::vector<RoundRecord> CellRun::resume() {
  resumed_ = checkpointing_.store != nullptr && resume_from(*checkpointing_.store);
  return history_;
}

void CellRun::take_training() {
  if (!resumed_ && shares_training()) resumed_ = resume_from(*checkpointing_.training);
}

bool CellRun::resume_from(CheckpointStore& store) {
  std::string record;
  comm_.see_through([&] {
    if (comm_.is_root() && store.open()) record = store.next();
  });
  comm_.broadcast(record);
  if (record.empty()) return false;
  comm_.see_through([&] { load_cell_state(record, kept_merger(store)); });
  FirstError failure;
  if (comm_.is_root()) failure.attempt([&] { record = store.next(); });
  for (int rank = 0; rank < comm_.size(); ++rank) receive_members(rank, store, record, failure);
  comm_.see_through([&] { failure.rethrow(); });
  comm_.see_through([&] { wake_shown(); });
  since_save_.lap();
  charge(&PhaseSeconds::other);
  return true;
}

void CellRun::receive_members(int rank, CheckpointStore& store, std::string& record, FirstError& failure) {
  if (comm_.rank() != rank && !comm_.is_root()) return;
  const std::vector<int> rows = shown();
  for (bool more = true; more;) {
    Package package;
    if (comm_.is_root()) {
      failure.attempt([&] {
        for (std::size_t size = 0; !record.empty() && size < kPackage; record = store.next()) {
          const int robot = StateReader(record).read<int>();
          require(robot >= 0 && robot < placement_.robots, "the checkpoint holds a robot ", robot, " of ",
                  placement_.robots);
          if (placement_.owner(robot) != rank) return;
          size += package.records.emplace_back(record).size();
        }
        package.is_last = record.empty();
      });
    }
    std::string bytes = packed(package);
    comm_.relay(bytes, 0, rank);
    package = unpacked(bytes);
    more = !package.is_last;
    if (comm_.rank() != rank) continue;
    for (const std::string& state : package.records)
      failure.attempt([&] { load_member_state(state, rows, kept_merger(store)); });
  }
}

std::string CellRun::cell_state(const Merger* merger) const {
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
  const ParamVector* standing = fleet_.standing();
  state.write(standing != nullptr);
  if (standing != nullptr) {
    const bool at_merged = outcome_ && same_bits(standing->flat(), outcome_->merged.flat());
    state.write(at_merged);
    if (!at_merged) state.write_all(standing->flat());
  }
  state.write_all(std::span<const int>(late_));
  state.write(reached_);
  state.write(stopped_);
  if (merger != nullptr) merger->save(kWholeFleet, state);
  return state.bytes();
}

void CellRun::load_cell_state(std::string_view bytes, Merger* merger) {
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
  if (state.read<bool>()) {
    ParamVector standing(workload_.symmetry().layout());
    if (state.read<bool>()) {
      standing = outcome_->merged;
    } else {
      state.read_into(standing.flat());
    }
    fleet_.stand_at(std::move(standing));
  }
  late_ = state.read_all<int>();
  reached_ = state.read<int>();
  stopped_ = state.read<bool>();
  roster_ = draw_roster(round_, late_);
  if (merger != nullptr) merger->load(kWholeFleet, state);
}

std::string CellRun::member_state(const Member& member, std::span<const int> rows, const Merger* merger) const {
  StateWriter state;
  state.write(member.index);
  state.write(member.steps_left);
  state.write(member.weights != nullptr);
  if (member.weights != nullptr) state.write_all(std::span<const float>(member.weights->flat()));
  state.write(member.optimizer != nullptr);
  if (member.optimizer != nullptr) member.optimizer->save(state);
  member.robot->save(state);
  if (merger != nullptr) merger->save(member.index, state);
  const auto row = static_cast<std::size_t>(std::ranges::lower_bound(rows, member.index) - rows.begin());
  const bool is_shown = row < rows.size() && rows[row] == member.index;
  const bool permuted = is_shown && outcome_ && row < outcome_->elements.size();
  state.write(permuted);
  if (permuted) {
    for (const Permutation& permutation : outcome_->elements[row]) state.write_all(std::span(permutation));
  }
  const bool fitted = is_shown && outcome_ && row < outcome_->bases.size();
  state.write(fitted);
  if (fitted) {
    for (const RowMatrix& basis : outcome_->bases[row])
      state.write_all(std::span(basis.data(), static_cast<std::size_t>(basis.size())));
  }
  return state.bytes();
}

void CellRun::load_member_state(std::string_view bytes, std::span<const int> rows, Merger* merger) {
  StateReader state(bytes);
  Member& member = fleet_.member(state.read<int>());
  member.steps_left = state.read<std::int64_t>();
  if (state.read<bool>()) state.read_into(fleet_.own_weights(member).flat());
  if (state.read<bool>()) fleet_.own_optimizer(member).load(state);
  member.robot->load(state);
  if (merger != nullptr) merger->load(member.index, state);
  const auto row = static_cast<std::size_t>(std::ranges::lower_bound(rows, member.index) - rows.begin());
  if (state.read<bool>()) {
    outcome_->elements.resize(rows.size(), workload_.symmetry().identity());
    for (Permutation& permutation : outcome_->elements.at(row)) state.read_into(std::span(permutation));
  }
  if (state.read<bool>()) {
    outcome_->bases.resize(rows.size(), to_matrices(workload_.symmetry().identity()));
    for (RowMatrix& basis : outcome_->bases.at(row)) {
      state.read_into(std::span(basis.data(), static_cast<std::size_t>(basis.size())));
    }
  }
  require(state.at_end(), "the checkpoint holds more of robot ", member.index, " than is known of it");
}

}  // namespace fleet
