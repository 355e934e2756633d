#include "train/round_loop.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/stopwatch.hpp"
#include "comm/placement.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

/// One cell under way on one rank.
class CellRun {
 public:
  CellRun(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
          std::span<RoundObserver* const> observers);

  RoundRecord run_round(int round);
  CellResult take_result();

 private:
  struct Member {
    int index;
    std::unique_ptr<Robot> robot;
  };

  /// Gradient steps that a member takes per local epoch of the fleet.
  std::int64_t steps_per_epoch(const Member& member) const;
  void train(int epochs);
  std::vector<int> draw_participants(int round) const;
  MergeInput look_at_robots(int round) const;
  void merge(MergeInput& input, RoundRecord& record);
  void observe(const MergeInput& input, RoundRecord& record);
  void hand_back(const std::vector<int>& participants);
  void carry_moments(const std::vector<Member*>& takers, const std::vector<int>& participants);
  void test_consensus(RoundRecord& record);
  void test_locals(RoundRecord& record);
  /// Charges the time since the last call to a phase, less what was spent waiting.
  void charge(double PhaseSeconds::*phase);

  const FleetOptions& options_;
  Regime regime_;
  Merger* merger_;
  Workload& workload_;
  const Comm& comm_;
  std::span<RoundObserver* const> observers_;
  std::vector<Member> members_;
  std::optional<MergeOutcome> outcome_;  // of the last merge; of `joint`, its weights
  Stopwatch watch_;
  double waited_before_ = 0.0;
  PhaseSeconds seconds_;
};

CellRun::CellRun(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
                 std::span<RoundObserver* const> observers)
    : options_(options), regime_(regime), merger_(merger), workload_(workload), comm_(comm), observers_(observers) {
  const bool joint = regime == Regime::kJoint;
  const Placement placement{.robots = joint ? 1 : options.robots, .ranks = comm.size()};
  comm.together([&] {
    for (int i = placement.begin(comm.rank()); i < placement.end(comm.rank()); ++i) {
      members_.push_back({i, joint ? workload.make_joint_robot() : workload.make_robot(i)});
    }
  });
  charge(&PhaseSeconds::other);
}

void CellRun::charge(double PhaseSeconds::*phase) {
  const double waited = comm_.seconds_waited() - waited_before_;
  waited_before_ = comm_.seconds_waited();
  seconds_.*phase += std::max(0.0, watch_.lap() - waited);
  seconds_.wait += waited;
}

std::int64_t CellRun::steps_per_epoch(const Member& member) const {
  if (regime_ != Regime::kJoint) return workload_.steps_per_epoch(member.index);
  std::int64_t fleet_steps = 0;
  std::int64_t with_data = 0;
  for (int i = 0; i < options_.robots; ++i) {
    fleet_steps += workload_.steps_per_epoch(i);
    with_data += workload_.steps_per_epoch(i) > 0 ? 1 : 0;
  }
  require(with_data > 0, "no robot has any training data");
  return options_.joint_steps == FleetOptions::JointSteps::kFleet ? fleet_steps
                                                                  : (fleet_steps + with_data - 1) / with_data;
}

void CellRun::train(int epochs) {
  comm_.together([&] {
    const auto stop = [this] { return comm_.stop_requested(); };
    for (const Member& member : members_) {
      const std::int64_t steps = steps_per_epoch(member);
      if (steps == 0) continue;
      member.robot->train(steps * epochs, stop);
      const std::span<const float> weights = member.robot->weights().flat();
      const Eigen::Map<const Eigen::VectorXf> all(weights.data(), static_cast<Eigen::Index>(weights.size()));
      require(all.allFinite(), "robot ", member.index, ": its weights are no longer finite");
    }
  });
}

std::vector<int> CellRun::draw_participants(int round) const {
  if (regime_ == Regime::kJoint) return {0};
  std::vector<int> with_data;
  for (int i = 0; i < options_.robots; ++i) {
    if (workload_.steps_per_epoch(i) > 0) with_data.push_back(i);
  }
  const auto population = static_cast<int>(with_data.size());
  require(population > 0, "no robot has any training data");
  if (regime_ == Regime::kLocal) return with_data;
  const int count = std::clamp(static_cast<int>(std::lround(options_.participation * population)), 1, population);
  RandomStream stream(options_.seed, Purpose::kParticipation, 0, static_cast<std::uint64_t>(round));
  std::vector<int> drawn;
  for (const int i : stream.sample(population, count)) {
    drawn.push_back(with_data[static_cast<std::size_t>(i)]);
  }
  return drawn;
}

MergeInput CellRun::look_at_robots(int round) const {
  MergeInput input{.symmetry = &workload_.symmetry(),
                   .maps = workload_.maps(),
                   .participants = draw_participants(round),
                   .seed = options_.seed,
                   .round = round};
  for (const Member& member : members_) {
    const bool takes_part = std::binary_search(input.participants.begin(), input.participants.end(), member.index);
    input.rows.push_back({.robot = member.index,
                          .weights = &member.robot->weights(),
                          .samples = static_cast<double>(member.robot->samples()),
                          .participates = takes_part,
                          .data = member.robot.get()});
  }
  return input;
}

void CellRun::merge(MergeInput& input, RoundRecord& record) {
  if (regime_ == Regime::kJoint) {
    outcome_.emplace(MergeOutcome{.merged = ParamVector(workload_.symmetry().layout())});
    if (!members_.empty()) outcome_->merged = members_.front().robot->weights();
    comm_.broadcast(outcome_->merged.flat());
    return;
  }
  input.previous = outcome_ ? &outcome_->merged : nullptr;
  input.wants_series = std::any_of(observers_.begin(), observers_.end(),
                                   [](const RoundObserver* observer) { return observer->wants_series(); });
  MergeOutcome outcome = merger_->merge(input, comm_);
  input.previous = nullptr;  // overwritten in the next line
  outcome_ = std::move(outcome);
  record.participants = static_cast<int>(input.participants.size());
  record.merge_iterations = outcome_->iterations;
}

void CellRun::observe(const MergeInput& input, RoundRecord& record) {
  const RoundView view{.round = record.round,
                       .epoch = record.epoch,
                       .last = record.round == options_.rounds(),
                       .robots = input,
                       .outcome = outcome_ ? &*outcome_ : nullptr};
  for (RoundObserver* observer : observers_) {
    std::vector<Measurement> seen = observer->observe(view, comm_);
    std::move(seen.begin(), seen.end(), std::back_inserter(record.measurements));
  }
}

void CellRun::hand_back(const std::vector<int>& participants) {
  std::vector<Member*> takers;
  for (Member& member : members_) {
    const bool takes_part = std::binary_search(participants.begin(), participants.end(), member.index);
    if (takes_part || options_.hand_back == FleetOptions::HandBack::kAll) takers.push_back(&member);
  }
  carry_moments(takers, participants);
  for (const Member* member : takers) {
    const std::span<const float> merged = outcome_->merged.flat();
    std::copy(merged.begin(), merged.end(), member->robot->weights().flat().begin());
  }
}

void CellRun::carry_moments(const std::vector<Member*>& takers, const std::vector<int>& participants) {
  if (options_.moments == FleetOptions::Moments::kReset) {
    for (const Member* member : takers) member->robot->optimizer().reset();
    return;
  }
  // A robot's moments belong to the basis of its own weights: carry them into that of the consensus.
  const auto as_span = [](Eigen::VectorXf& v) { return std::span(v.data(), static_cast<std::size_t>(v.size())); };
  for (std::size_t i = 0; i < outcome_->elements.size(); ++i) {
    for (Eigen::VectorXf& moment : members_[i].robot->optimizer().moments()) {
      workload_.symmetry().apply(outcome_->elements[i], as_span(moment));
    }
  }
  if (options_.moments == FleetOptions::Moments::kKeep) return;

  double total = 0.0;
  for (const int i : participants) {
    const std::vector<std::int64_t>& histogram = workload_.histograms()[static_cast<std::size_t>(i)];
    total += static_cast<double>(std::accumulate(histogram.begin(), histogram.end(), std::int64_t{0}));
  }
  Eigen::VectorXf mean(static_cast<Eigen::Index>(outcome_->merged.flat().size()));
  // Every rank asks for the same number of sums, also one that carries no robot.
  const double local_count =
      members_.empty() ? 0.0 : static_cast<double>(members_.front().robot->optimizer().moments().size());
  const auto moments = static_cast<std::size_t>(comm_.max(local_count));
  for (std::size_t m = 0; m < moments; ++m) {
    std::vector<Comm::Term> terms;
    for (Member& member : members_) {
      if (!std::binary_search(participants.begin(), participants.end(), member.index)) continue;
      terms.push_back({as_span(member.robot->optimizer().moments()[m]), static_cast<double>(member.robot->samples())});
    }
    comm_.ordered_sum(terms, as_span(mean), 1.0 / total);
    for (const Member* member : takers) member->robot->optimizer().moments()[m] = mean;
  }
}

void CellRun::test_consensus(RoundRecord& record) {
  const std::vector<std::string> names = workload_.metrics();
  const std::vector<double> means = test_means(workload_, outcome_->merged, comm_);
  for (std::size_t m = 0; m < names.size(); ++m) {
    record.metrics.push_back({kMergedPolicy, "test", names[m], means[m]});
  }
}

void CellRun::test_locals(RoundRecord& record) {
  const std::vector<std::string> names = workload_.metrics();
  std::vector<double> local;
  comm_.together([&] {
    for (const Member& member : members_) {
      for (const double mean : test_means(workload_, member.robot->weights())) local.push_back(mean);
    }
  });
  const std::vector<double> all = comm_.all_gather(local);
  for (std::size_t i = 0; i < all.size(); ++i) {
    record.metrics.push_back({static_cast<int>(i / names.size()), "test", names[i % names.size()], all[i]});
  }
}

RoundRecord CellRun::run_round(int round) {
  const std::uint64_t bytes_before = comm_.bytes_moved();
  const int done = (round - 1) * options_.round_epochs();
  const int epochs = std::min(options_.round_epochs(), options_.epochs - done);
  const bool last = round == options_.rounds();
  RoundRecord record{.round = round, .epoch = done + epochs};

  train(epochs);
  charge(&PhaseSeconds::train);
  using LocalTests = FleetOptions::LocalTests;
  std::vector<Metric> locals;
  if (regime_ == Regime::kLocal ||
      (regime_ == Regime::kMerge &&
       (options_.local_tests == LocalTests::kEvery || (last && options_.local_tests == LocalTests::kLast)))) {
    test_locals(record);
    locals.swap(record.metrics);
    charge(&PhaseSeconds::evaluate);
  }
  MergeInput robots = look_at_robots(round);
  if (regime_ != Regime::kLocal) {
    merge(robots, record);
    charge(&PhaseSeconds::merge);
    test_consensus(record);
  }
  observe(robots, record);
  charge(&PhaseSeconds::evaluate);
  if (regime_ == Regime::kMerge) {
    hand_back(robots.participants);
    charge(&PhaseSeconds::merge);
  }
  record.metrics.insert(record.metrics.end(), locals.begin(), locals.end());
  record.bytes_moved = comm_.bytes_moved() - bytes_before;
  charge(&PhaseSeconds::other);
  record.seconds = std::exchange(seconds_, {});
  return record;
}

CellResult CellRun::take_result() {
  CellResult result;
  if (outcome_) {
    for (std::size_t i = 0; i < outcome_->elements.size(); ++i) result.element_robots.push_back(members_[i].index);
    result.elements = std::move(outcome_->elements);
    result.merged = std::move(outcome_->merged);
  }
  return result;
}

}  // namespace

CellResult run_cell(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
                    const std::function<void(const RoundRecord&)>& emit, std::span<RoundObserver* const> observers) {
  CellRun run(options, regime, merger, workload, comm, observers);
  for (int round = 1; round <= options.rounds(); ++round) {
    try {
      emit(run.run_round(round));
    } catch (const Error& error) {
      throw Error(cat("round ", round, ": ", error.what()));
    }
  }
  return run.take_result();
}

}  // namespace fleet
