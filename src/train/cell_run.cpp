#include "train/cell_run.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/process.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

[[noreturn]] void throw_untested(const std::string& metric, const std::vector<std::string>& known) {
  std::string names;
  for (const std::string& name : known) names += cat(names.empty() ? "" : ", ", name);
  throw Error(cat("a target is set for \"", metric, "\", but what is tested is ", names));
}

/// Before anything is trained.
void require_tested(const std::string& metric, const Workload& workload) {
  const std::size_t scores = static_cast<std::size_t>(workload.test_parts()) * workload.metrics().size();
  std::vector<std::string> known;
  for (const NamedValue& value : workload.summarize(std::vector(scores, Score{.sum = 0.0, .samples = 1.0}))) {
    known.push_back(value.name);
  }
  if (std::ranges::find(known, metric) == known.end()) throw_untested(metric, known);
}

bool is_finite(const ParamVector& weights) {
  const std::span<const float> flat = weights.flat();
  return Eigen::Map<const Eigen::VectorXf>(flat.data(), static_cast<Eigen::Index>(flat.size())).allFinite();
}

}  // namespace

CellRun::CellRun(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
                 const Checkpointing& checkpointing, std::span<RoundObserver* const> observers,
                 const TrainingWatch& watch)
    : options_(options),
      regime_(regime),
      merger_(merger),
      workload_(workload),
      comm_(comm),
      checkpointing_(checkpointing),
      observers_(observers),
      watch_training_(watch),
      placement_{.robots = regime == Regime::kJoint ? 1 : options.robots, .ranks = comm.size()},
      fleet_(workload.symmetry().layout(), workload.optimizer(), [this](int index) { return make_robot(index); }),
      waited_before_(comm.seconds_waited()),
      bytes_before_(comm.bytes_moved()),
      processor_before_(processor_seconds()) {
  comm.together([&] {
    for (int i = 0; i < options.robots; ++i) {
      if (workload.steps_per_epoch(i) > 0) with_data_.push_back(i);
    }
    require(!with_data_.empty(), "no robot has any training data");
    if (merger != nullptr && !options.parameters.empty()) {
      // Whoever misses a merge but is handed its outcome does not know what has become of his units.
      const bool some = options.participants > 0 || options.participation < 1.0 || options.dropped > 0.0 ||
                        std::ssize(with_data_) < options.robots;
      const bool misses = some && options.hand_back == FleetOptions::HandBack::kAll;
      shared_.emplace(workload.symmetry(), workload.maps(), options.parameters, merger->needs().between || misses);
    }
    if (options.target) require_tested(options.target->metric, workload);
    Roster roster;
    for (int round = 1; round <= options_.rounds() && (!all_train() || options_.late > 0.0); ++round) {
      const std::vector<int> late = std::move(roster.late);  // of the round before: they miss this one
      roster = draw_roster(round, late);
      for (const int robot : own_part(all_train() ? late : roster.drawn)) epochs_[robot] += epochs_in(round);
    }
  });
  charge(&PhaseSeconds::other);
}

RoundRecord CellRun::finish_round() {
  if (phase_ == Phase::kBegin) begin_round();
  if (phase_ == Phase::kTrain) train();
  if (phase_ == Phase::kTestLocals) test_locals();
  if (phase_ == Phase::kMerge) merge();
  if (phase_ == Phase::kTestConsensus) test_consensus();
  if (phase_ == Phase::kObserve) observe();
  phase_ = Phase::kBegin;
  ++round_;
  record_.bytes_moved += bytes_moved_since();
  record_.processor_seconds += processor_seconds_since();
  charge(&PhaseSeconds::other);
  if (checkpointing_.store != nullptr) history_.push_back(record_);
  return std::exchange(record_, {});
}

std::uint64_t CellRun::bytes_moved_since() {
  const std::uint64_t now = comm_.bytes_moved();
  const std::uint64_t moved = now - std::exchange(bytes_before_, now);
  return static_cast<std::uint64_t>(comm_.sum(static_cast<std::int64_t>(moved)));
}

double CellRun::processor_seconds_since() {
  const double now = processor_seconds();
  const double spent = now - std::exchange(processor_before_, now);
  constexpr double kNanosecond = 1e-9;
  return kNanosecond * static_cast<double>(comm_.sum(static_cast<std::int64_t>(spent / kNanosecond)));
}

void CellRun::charge(double PhaseSeconds::*phase) {
  const double waited = comm_.seconds_waited() - waited_before_;
  waited_before_ = comm_.seconds_waited();
  record_.seconds.*phase += std::max(0.0, watch_.lap() - waited);
  record_.seconds.wait += waited;
}

void CellRun::begin_round() {
  since_begin_.lap();
  bytes_before_ = comm_.bytes_moved();
  record_.round = round_;
  record_.epoch = options_.epochs_after(round_);
  roster_ = draw_roster(round_, late_);
  comm_.together([&] {
    for (const int robot : trainees()) {
      Member& member = fleet_.member(robot);
      member.steps_left = steps_per_epoch(robot) * epochs_in(round_);
      fleet_.own_weights(member);
      fleet_.own_optimizer(member);
    }
    wake_shown();
  });
  phase_ = Phase::kTrain;
}

void CellRun::wake_shown() {
  for (const int robot : shown()) {
    Member& member = fleet_.member(robot);
    if (fleet_.standing() == nullptr) fleet_.own_weights(member);
  }
}

int CellRun::epochs_in(int round) const {
  return options_.epochs_after(round) - options_.epochs_after(round - 1);
}

int CellRun::epochs_of(int robot) const {
  const auto found = epochs_.find(robot);
  const int known = found != epochs_.end() ? found->second : 0;
  return all_train() ? options_.epochs - known : known;
}

bool CellRun::all_train() const {
  return regime_ != Regime::kMerge || options_.trainees == FleetOptions::Trainees::kAll;
}

std::span<const int> CellRun::own_part(std::span<const int> robots) const {
  const auto begin = std::ranges::lower_bound(robots, placement_.begin(comm_.rank()));
  return {begin, std::ranges::lower_bound(robots, placement_.end(comm_.rank()))};
}

std::vector<int> CellRun::trainees() const {
  const std::span<const int> drawn = own_part(roster_.drawn);
  std::vector<int> robots = all_train() ? own_robots() : std::vector(drawn.begin(), drawn.end());
  std::erase_if(robots, [&](int robot) { return std::ranges::binary_search(late_, robot); });
  return robots;
}

std::vector<int> CellRun::shown() const {
  const auto wants_all = [&](const RoundObserver* observer) {
    return observer->wants_all_robots(may_be_last() || trained_last());
  };
  const bool all = all_train() || shared_ || (merger_ != nullptr && merger_->needs().absent) ||
                   std::ranges::any_of(observers_, wants_all);
  if (all) return own_robots();
  const std::span<const int> merged = own_part(roster_.merged);
  return {merged.begin(), merged.end()};
}

std::vector<int> CellRun::own_robots() const {
  const int begin = placement_.begin(comm_.rank());
  std::vector<int> robots(static_cast<std::size_t>(placement_.end(comm_.rank()) - begin));
  std::iota(robots.begin(), robots.end(), begin);
  return robots;
}

std::unique_ptr<Robot> CellRun::make_robot(int index) {
  std::unique_ptr<Robot> robot = regime_ == Regime::kJoint ? workload_.make_joint_robot() : workload_.make_robot(index);
  robot->expect(steps_per_epoch(index) * epochs_of(index));
  return robot;
}

std::int64_t CellRun::steps_per_epoch(int robot) const {
  if (regime_ != Regime::kJoint) return workload_.steps_per_epoch(robot);
  std::int64_t fleet_steps = 0;
  for (const int i : with_data_) fleet_steps += workload_.steps_per_epoch(i);
  const auto sharers = static_cast<std::int64_t>(with_data_.size());
  return options_.joint_steps == FleetOptions::JointSteps::kFleet ? fleet_steps : (fleet_steps + sharers - 1) / sharers;
}

void CellRun::train() {
  steps_of_round_ = 0;
  steps_taken_ = 0;
  for (const int robot : trainees()) {
    const std::int64_t all = steps_per_epoch(robot) * epochs_in(round_);
    steps_of_round_ += all;
    steps_taken_ += all - fleet_.member(robot).steps_left;
  }
  for (;;) {
    comm_.together([&] {
      for (const int robot : trainees()) train_member(fleet_.member(robot));
    });
    if (!pauses()) break;
    std::int64_t left = 0;
    for (const int robot : trainees()) left += fleet_.member(robot).steps_left;
    if (comm_.sum(left) == 0) break;
    charge(&PhaseSeconds::train);
    save();  // the training was paused for it
  }
  charge(&PhaseSeconds::train);
  phase_ = Phase::kTestLocals;
}

void CellRun::train_member(Member& member) {
  if (member.steps_left == 0) return;
  std::int64_t taken = 0;
  bool paused = false;
  ParamVector& weights = fleet_.own_weights(member);
  const ParamVector* merged = outcome_ ? &outcome_->merged : nullptr;
  std::optional<ParamVector> part;  // of it, which is all that the merger knows
  if (shared_ && merged != nullptr) merged = &part.emplace(shared_->part_of(*merged));
  const std::unique_ptr<GradientTerm> term = merger_ != nullptr ? merger_->local_term(member.index, merged) : nullptr;
  const std::unique_ptr<GradientTerm> of_whole = shared_ && term != nullptr ? shared_->whole_term(*term) : nullptr;
  member.robot->follow(of_whole != nullptr ? of_whole.get() : term.get());
  member.robot->train(weights, fleet_.own_optimizer(member), member.steps_left, [&] {
    const bool due = pauses() && since_save_.seconds() >= checkpointing_.when.every_minutes * 60.0;
    paused = comm_.stop_requested() || (due && taken > 0);  // however short the interval, training gets on
    if (watch_training_)
      watch_training_(round_, static_cast<double>(steps_taken_ + taken) / static_cast<double>(steps_of_round_));
    taken += paused ? 0 : 1;
    return paused;
  });
  steps_taken_ += paused ? taken : member.steps_left;
  member.steps_left = paused ? member.steps_left - taken : 0;
  require(is_finite(weights), "robot ", member.index, ": its weights are no longer finite");
}

bool CellRun::is_tested() const {
  return is_last() || trained_last() || (options_.test_every > 0 && round_ % options_.test_every == 0);
}

bool CellRun::tests_locals() const {
  using LocalTests = FleetOptions::LocalTests;
  if (regime_ != Regime::kMerge) return regime_ == Regime::kLocal && is_tested();
  if (round_ > options_.training_rounds()) return false;  // they are where they were handed the merged policy
  return (options_.local_tests == LocalTests::kEvery && is_tested()) ||
         (options_.local_tests == LocalTests::kLast && trained_last());
}

void CellRun::test_locals() {
  if (tests_locals()) test_locals_now();
  phase_ = Phase::kMerge;
  if (shares_training() && round_ == 1) save_in(*checkpointing_.training);
}

void CellRun::test_locals_now() {
  const std::vector<int> own = own_robots();
  const auto weights = [&](std::size_t i, ParamVector& scratch) -> const ParamVector& {
    return fleet_.weights(own[i], scratch);
  };
  const TestedFleet tested = test_fleet(workload_, own, weights, fleet_.standing(), comm_);
  for (std::size_t robot = 0; robot < tested.each.size(); ++robot) {
    for (const NamedValue& value : tested.each[robot]) {
      record_.metrics.push_back({static_cast<int>(robot), "test", value.name, value.value});
    }
  }
  charge(&PhaseSeconds::evaluate);
}

CellRun::Roster CellRun::draw_roster(int round, const std::vector<int>& late) const {
  if (regime_ == Regime::kJoint) return {.drawn = {0}, .merged = {0}};
  if (regime_ == Regime::kLocal) return {.drawn = with_data_, .merged = with_data_};
  const auto population = static_cast<int>(with_data_.size());
  const auto number = static_cast<std::uint64_t>(round);
  RandomStream draw(options_.seed, Purpose::kParticipation, 0, number);
  Roster roster{.drawn = draw.sample(population, options_.drawn(population))};
  for (int& robot : roster.drawn) robot = with_data_[static_cast<std::size_t>(robot)];
  std::erase_if(roster.drawn, [&](int robot) { return std::ranges::binary_search(late, robot); });

  // Robot i's luck is drawn by stream i + 1, as 0 has drawn the participants. Of those that would all fail the one that
  // came nearest to not failing takes part.
  int luckiest = -1;
  double most = -1.0;
  for (const int robot : roster.drawn) {
    RandomStream luck(options_.seed, Purpose::kParticipation, static_cast<std::uint64_t>(robot) + 1, number);
    const double fate = luck.uniform();
    if (fate > most) std::tie(most, luckiest) = std::pair(fate, robot);
    if (fate < options_.dropped) continue;
    (luck.uniform() < options_.late ? roster.late : roster.merged).push_back(robot);
  }
  roster.merged.insert(roster.merged.end(), late.begin(), late.end());
  std::ranges::sort(roster.merged);
  if (roster.merged.empty()) {
    roster.merged.push_back(luckiest);
    std::erase(roster.late, luckiest);
  }
  return roster;
}

MergeInput CellRun::look_at_robots() {
  MergeInput input{.symmetry = &workload_.symmetry(),
                   .maps = workload_.maps(),
                   .participants = roster_.merged,
                   .seed = options_.seed,
                   .round = round_};
  for (const int robot : shown()) {
    Member& member = fleet_.member(robot);
    const ParamVector* own = member.weights.get();
    input.rows.push_back({.robot = robot,
                          .weights = own != nullptr ? own : fleet_.standing(),
                          .samples = static_cast<double>(member.robot->samples()),
                          .participates = std::ranges::binary_search(roster_.merged, robot),
                          .data = member.robot.get()});
  }
  return input;
}

void CellRun::merge() {
  if (regime_ == Regime::kLocal) {
    phase_ = Phase::kObserve;
    return;
  }
  if (regime_ == Regime::kJoint) {
    outcome_.emplace(MergeOutcome{.merged = ParamVector(workload_.symmetry().layout())});
    if (comm_.is_root()) outcome_->merged = fleet_.own_weights(fleet_.member(0));
    comm_.broadcast(outcome_->merged.flat());
  } else {
    merge_robots();
  }
  charge(&PhaseSeconds::merge);
  phase_ = Phase::kTestConsensus;
}

void CellRun::merge_robots() {
  MergeInput input = look_at_robots();
  input.previous = outcome_ ? &outcome_->merged : nullptr;
  input.after = std::max(0, round_ - options_.training_rounds());
  MergeCost cost;
  input.cost = &cost;
  if (options_.privacy.any() || merger_->needs().center) {
    input.center = input.previous != nullptr ? input.previous : &known_start();
  }
  std::optional<PrivateSums> sums;
  if (options_.privacy.any()) {
    const int each = merger_->private_sums(input.maps);
    sums.emplace(options_.privacy, each * options_.rounds(), options_.seed, round_, roster_.merged, *input.center);
    input.privately = &*sums;
  }
  input.wants_series = std::any_of(observers_.begin(), observers_.end(),
                                   [](const RoundObserver* observer) { return observer->wants_series(); });
  if (shared_) {
    const SharedFleet fleet(*shared_, input);
    outcome_ = shared_->whole_outcome(merger_->merge(fleet.input(), comm_));
  } else {
    outcome_ = merger_->merge(input, comm_);
  }
  require(is_finite(outcome_->merged), "merge: the merged weights are not finite");
  record_.cost = cost;
  record_.participants = static_cast<int>(roster_.merged.size());
  record_.late = static_cast<int>(roster_.late.size());
  record_.dropped = static_cast<int>(roster_.drawn.size() + late_.size()) - record_.participants - record_.late;
  record_.merge_iterations = outcome_->iterations;
}

const ParamVector& CellRun::known_start() {
  if (known_start_) return *known_start_;
  bool common = true;
  std::optional<ParamVector> start;
  comm_.together([&] {
    const auto first_weights = [&](int robot) {
      ParamVector weights(workload_.symmetry().layout());
      make_robot(robot)->initialize(weights);
      return weights;
    };
    start = first_weights(with_data_.front());
    for (const int robot : own_robots()) {
      common = common && std::ranges::equal(first_weights(robot).flat(), start->flat());
    }
  });
  if (comm_.max(common ? 0.0 : 1.0) > 0.0) start.emplace(workload_.symmetry().layout());
  return known_start_.emplace(std::move(*start));
}

void CellRun::test_consensus() {
  if (is_tested()) {
    std::vector<Metric> each;
    const std::vector<NamedValue> tested =
        shared_ ? test_personal(each) : test_together(workload_, outcome_->merged, comm_);
    charge(&PhaseSeconds::evaluate);
    look_at_target(tested);
    const bool came_early =
        stopped_ && round_ < options_.training_rounds();  // who is to be tested in the last round is so now
    if (came_early && options_.local_tests == FleetOptions::LocalTests::kLast) test_locals_now();
    std::vector<Metric> merged;
    for (const NamedValue& value : tested) merged.push_back({kMergedPolicy, "test", value.name, value.value});
    if (options_.target && is_last()) {
      const double round = reached_ > 0 ? reached_ : std::nan("");
      merged.push_back({kMergedPolicy, "test", kRoundsToTarget, round});
    }
    record_.metrics.insert(record_.metrics.begin(), merged.begin(), merged.end());
    record_.metrics.insert(record_.metrics.end(), each.begin(), each.end());
  }
  phase_ = Phase::kObserve;
}

std::vector<NamedValue> CellRun::test_personal(std::vector<Metric>& each) {
  const std::vector<int> rows = shown();
  const auto policy = [&](std::size_t i, ParamVector& scratch) -> const ParamVector& {
    return scratch = after_merge(i, rows[i]);
  };
  const TestedFleet tested = test_fleet(workload_, rows, policy, nullptr, comm_);
  for (std::size_t robot = 0; robot < tested.each.size(); ++robot) {
    for (const NamedValue& value : tested.each[robot]) {
      each.push_back({static_cast<int>(robot), kPersonal, value.name, value.value});
    }
  }
  return tested.together;
}

bool CellRun::takes_merged(int robot) const {
  if (options_.hand_back == FleetOptions::HandBack::kAll) return !std::ranges::binary_search(roster_.late, robot);
  return std::ranges::binary_search(roster_.merged, robot);
}

ParamVector CellRun::after_merge(std::size_t row, int robot) {
  const ParamVector& own = fleet_.own_weights(fleet_.member(robot));
  return takes_merged(robot) ? shared_->personal(*outcome_, row, own) : own;
}

void CellRun::look_at_target(const std::vector<NamedValue>& tested) {
  if (!options_.target || reached_ > 0) return;
  const auto value = std::ranges::find(tested, options_.target->metric, &NamedValue::name);
  if (value == tested.end()) {
    std::vector<std::string> names;
    for (const NamedValue& known : tested) names.push_back(known.name);
    throw_untested(options_.target->metric, names);
  }
  if (!options_.target->met_by(value->value)) return;
  reached_ = round_;
  stopped_ = options_.stop_at_target;
}

void CellRun::observe() {
  const MergeInput robots = look_at_robots();
  const RoundView view{.round = round_,
                       .epoch = record_.epoch,
                       .last = is_last(),
                       .trained_last = trained_last(),
                       .robots = robots,
                       .outcome = outcome_ ? &*outcome_ : nullptr,
                       .shared = shared_ ? &*shared_ : nullptr,
                       .after_merge = [&](std::size_t row) { return after_merge(row, robots.rows[row].robot); }};
  std::vector<Measurement> measurements;  // of the record once nothing can interrupt any more
  for (RoundObserver* observer : observers_) {
    std::vector<Measurement> seen = observer->observe(view, comm_);
    std::move(seen.begin(), seen.end(), std::back_inserter(measurements));
  }
  record_.measurements = std::move(measurements);
  charge(&PhaseSeconds::evaluate);
  if (regime_ != Regime::kMerge) return;
  hand_back();
  charge(&PhaseSeconds::merge);
}

void CellRun::hand_back() {
  using HandBack = FleetOptions::HandBack;
  if (options_.moments != FleetOptions::Moments::kReset) carry_moments();
  const auto leave = [&](Member& member) {
    if (options_.moments == FleetOptions::Moments::kReset) fleet_.release_optimizer(member);
    if (!all_train()) member.robot->rest();
  };
  const ParamVector& merged = outcome_->merged;
  if (options_.hand_back == HandBack::kAll) {  // participants have it from the merge
    const std::size_t others = static_cast<std::size_t>(options_.robots) - roster_.merged.size() - roster_.late.size();
    const std::size_t numbers = shared_ ? shared_->symmetry().layout()->size() : merged.flat().size();
    record_.cost.of(Cargo::kWeights).received += others * numbers * sizeof(float);
  }
  if (shared_) {
    const std::vector<int> rows = shown();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!takes_merged(rows[i])) continue;
      Member& member = fleet_.member(rows[i]);
      *member.weights = after_merge(i, rows[i]);
      leave(member);
    }
  } else if (options_.hand_back == HandBack::kParticipants) {
    for (const int robot : own_part(roster_.merged)) {
      Member& member = fleet_.member(robot);
      std::ranges::copy(merged.flat(), fleet_.own_weights(member).flat().begin());
      leave(member);
    }
  } else {
    const auto is_late = [&](const Member& member) { return !takes_merged(member.index); };
    for (Member* member : fleet_.awake()) {
      if (!is_late(*member)) leave(*member);
    }
    fleet_.release_weights(is_late);
    fleet_.stand_at(merged);
  }
  late_ = std::move(roster_.late);
  if (is_last()) {
    last_rows_ = shown();
    return;
  }
  outcome_->elements.clear();  // of robots that have gone on
  outcome_->bases.clear();
}

void CellRun::carry_moments() {
  // A robot's moments belong to the basis of its own weights: carry them into that of the consensus.
  const std::vector<int> rows = shown();
  for (std::size_t i = 0; i < outcome_->elements.size(); ++i) {
    const Member& member = fleet_.member(rows[i]);
    if (member.optimizer != nullptr) member.optimizer->transform(workload_.symmetry(), outcome_->elements[i]);
  }
  if (options_.moments == FleetOptions::Moments::kAverage) average_moments();
}

void CellRun::average_moments() {
  const auto as_span = [](Eigen::VectorXf& v) { return std::span(v.data(), static_cast<std::size_t>(v.size())); };
  const std::size_t moments = Optimizer(workload_.optimizer(), 0).moments().size();
  const std::span<const int> own = own_part(roster_.merged);
  std::int64_t samples = 0;
  double steps = 0.0;  // of the moments: what is divided by for their bias goes along with them
  for (const int robot : own) {
    samples += fleet_.member(robot).robot->samples();
    steps = std::max(steps, static_cast<double>(fleet_.own_optimizer(fleet_.member(robot)).steps()));
  }
  steps = comm_.max(steps);
  const auto total = static_cast<double>(comm_.sum(samples));
  const bool all = moments > 0 && options_.hand_back == FleetOptions::HandBack::kAll;
  std::vector<int> takers = all ? own_robots() : std::vector(own.begin(), own.end());
  std::erase_if(takers, [&](int robot) { return !takes_merged(robot); });
  Eigen::VectorXf mean(static_cast<Eigen::Index>(outcome_->merged.flat().size()));
  for (std::size_t m = 0; m < moments; ++m) {
    std::vector<Comm::Term> terms;
    for (const int robot : own) {
      Member& member = fleet_.member(robot);
      terms.push_back(
          {as_span(fleet_.own_optimizer(member).moments()[m]), static_cast<double>(member.robot->samples())});
    }
    comm_.ordered_sum(terms, as_span(mean), 1.0 / total);
    CargoBytes& bytes = record_.cost.of(Cargo::kWeights);  // as large as they are
    bytes.sent += roster_.merged.size() * as_span(mean).size_bytes();
    bytes.received += (all ? static_cast<std::size_t>(options_.robots) - roster_.late.size() : roster_.merged.size()) *
                      as_span(mean).size_bytes();
    for (const int robot : takers) fleet_.own_optimizer(fleet_.member(robot)).moments()[m] = mean;
  }
  if (moments == 0) return;
  for (const int robot : takers) {
    Optimizer& optimizer = fleet_.own_optimizer(fleet_.member(robot));
    optimizer.count_steps(static_cast<std::int64_t>(steps) - optimizer.steps());
  }
}

CellResult CellRun::take_result() {
  CellResult result;
  if (outcome_) {
    if (!outcome_->elements.empty() || !outcome_->bases.empty()) result.robots = last_rows_;
    result.elements = std::move(outcome_->elements);
    result.bases = std::move(outcome_->bases);
    result.merged = std::move(outcome_->merged);
  }
  return result;
}

}  // namespace fleet
