#include "train/cell_run.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/error.hpp"
#include "train/evaluation.hpp"

namespace fleet {

CellRun::CellRun(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
                 const Checkpointing& checkpointing, std::span<RoundObserver* const> observers)
    : options_(options),
      regime_(regime),
      merger_(merger),
      workload_(workload),
      comm_(comm),
      checkpointing_(checkpointing),
      observers_(observers),
      placement_{.robots = regime == Regime::kJoint ? 1 : options.robots, .ranks = comm.size()},
      waited_before_(comm.seconds_waited()),
      bytes_before_(comm.bytes_moved()) {
  comm.together([&] {
    for (int i = placement_.begin(comm.rank()); i < placement_.end(comm.rank()); ++i) {
      members_.push_back({i, regime == Regime::kJoint ? workload.make_joint_robot() : workload.make_robot(i)});
    }
    announce_steps();
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
  record_.bytes_moved =
      static_cast<std::uint64_t>(comm_.sum(static_cast<std::int64_t>(comm_.bytes_moved() - bytes_before_)));
  charge(&PhaseSeconds::other);
  if (checkpointing_.store != nullptr) history_.push_back(record_);
  return std::exchange(record_, {});
}

void CellRun::charge(double PhaseSeconds::*phase) {
  const double waited = comm_.seconds_waited() - waited_before_;
  waited_before_ = comm_.seconds_waited();
  record_.seconds.*phase += std::max(0.0, watch_.lap() - waited);
  record_.seconds.wait += waited;
}

void CellRun::begin_round() {
  bytes_before_ = comm_.bytes_moved();
  record_.round = round_;
  record_.epoch = (round_ - 1) * options_.round_epochs() + epochs_in(round_);
  comm_.together([&] {
    for (Member* member : trainees(round_)) member->steps_left = steps_per_epoch(*member) * epochs_in(round_);
  });
  phase_ = Phase::kTrain;
}

int CellRun::epochs_in(int round) const {
  return std::min(options_.round_epochs(), options_.epochs - (round - 1) * options_.round_epochs());
}

bool CellRun::all_train() const {
  return regime_ != Regime::kMerge || options_.trainees == FleetOptions::Trainees::kAll;
}

std::vector<CellRun::Member*> CellRun::trainees(int round) {
  const std::vector<int> participants = all_train() ? std::vector<int>() : draw_participants(round);
  std::vector<Member*> trainees;
  for (Member& member : members_) {
    const bool takes_part = std::binary_search(participants.begin(), participants.end(), member.index);
    if (all_train() || takes_part) trainees.push_back(&member);
  }
  return trainees;
}

void CellRun::announce_steps() {
  std::vector<int> epochs(members_.size(), all_train() ? options_.epochs : 0);
  for (int round = 1; !all_train() && round <= options_.rounds(); ++round) {
    for (const Member* member : trainees(round)) {
      epochs[static_cast<std::size_t>(member - members_.data())] += epochs_in(round);
    }
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i].robot->expect(steps_per_epoch(members_[i]) * epochs[i]);
  }
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

void CellRun::train() {
  for (;;) {
    comm_.together([&] {
      for (Member& member : members_) train_member(member);
    });
    if (!checkpointing_.pauses()) break;
    std::int64_t left = 0;
    for (const Member& member : members_) left += member.steps_left;
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
  member.robot->train(member.steps_left, [&] {
    const bool due = checkpointing_.pauses() && since_save_.seconds() >= checkpointing_.when.every_minutes * 60.0;
    paused = comm_.stop_requested() || (due && taken > 0);  // however short the interval, training gets on
    taken += paused ? 0 : 1;
    return paused;
  });
  member.steps_left = paused ? member.steps_left - taken : 0;
  const std::span<const float> weights = member.robot->weights().flat();
  const Eigen::Map<const Eigen::VectorXf> all(weights.data(), static_cast<Eigen::Index>(weights.size()));
  require(all.allFinite(), "robot ", member.index, ": its weights are no longer finite");
}

bool CellRun::is_tested() const {
  return round_ == options_.rounds() || (options_.test_every > 0 && round_ % options_.test_every == 0);
}

bool CellRun::tests_locals() const {
  using LocalTests = FleetOptions::LocalTests;
  if (regime_ != Regime::kMerge) return regime_ == Regime::kLocal && is_tested();
  return (options_.local_tests == LocalTests::kEvery && is_tested()) ||
         (options_.local_tests == LocalTests::kLast && round_ == options_.rounds());
}

void CellRun::test_locals() {
  if (tests_locals()) {
    std::vector<const ParamVector*> mine;
    for (const Member& member : members_) mine.push_back(&member.robot->weights());
    const std::vector<std::vector<NamedValue>> tested = test_each(workload_, mine, comm_);
    for (std::size_t robot = 0; robot < tested.size(); ++robot) {
      for (const NamedValue& value : tested[robot]) {
        record_.metrics.push_back({static_cast<int>(robot), "test", value.name, value.value});
      }
    }
    charge(&PhaseSeconds::evaluate);
  }
  phase_ = Phase::kMerge;
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

MergeInput CellRun::look_at_robots() const {
  MergeInput input{.symmetry = &workload_.symmetry(),
                   .maps = workload_.maps(),
                   .participants = draw_participants(round_),
                   .seed = options_.seed,
                   .round = round_};
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

void CellRun::merge() {
  if (regime_ == Regime::kLocal) {
    phase_ = Phase::kObserve;
    return;
  }
  if (regime_ == Regime::kJoint) {
    outcome_.emplace(MergeOutcome{.merged = ParamVector(workload_.symmetry().layout())});
    if (!members_.empty()) outcome_->merged = members_.front().robot->weights();
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
  input.wants_series = std::any_of(observers_.begin(), observers_.end(),
                                   [](const RoundObserver* observer) { return observer->wants_series(); });
  outcome_ = merger_->merge(input, comm_);
  record_.participants = static_cast<int>(input.participants.size());
  record_.merge_iterations = outcome_->iterations;
}

void CellRun::test_consensus() {
  if (is_tested()) {
    std::vector<Metric> merged;
    for (const NamedValue& value : test_together(workload_, outcome_->merged, comm_)) {
      merged.push_back({kMergedPolicy, "test", value.name, value.value});
    }
    record_.metrics.insert(record_.metrics.begin(), merged.begin(), merged.end());
    charge(&PhaseSeconds::evaluate);
  }
  phase_ = Phase::kObserve;
}

void CellRun::observe() {
  const MergeInput robots = look_at_robots();
  const RoundView view{.round = round_,
                       .epoch = record_.epoch,
                       .last = round_ == options_.rounds(),
                       .robots = robots,
                       .outcome = outcome_ ? &*outcome_ : nullptr};
  std::vector<Measurement> measurements;  // of the record once nothing can interrupt any more
  for (RoundObserver* observer : observers_) {
    std::vector<Measurement> seen = observer->observe(view, comm_);
    std::move(seen.begin(), seen.end(), std::back_inserter(measurements));
  }
  record_.measurements = std::move(measurements);
  charge(&PhaseSeconds::evaluate);
  if (regime_ != Regime::kMerge) return;
  hand_back(robots.participants);
  charge(&PhaseSeconds::merge);
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
    members_[i].robot->optimizer().transform(workload_.symmetry(), outcome_->elements[i]);
  }
  if (options_.moments == FleetOptions::Moments::kKeep) return;

  std::int64_t samples = 0;
  for (const Member& member : members_) {
    if (std::binary_search(participants.begin(), participants.end(), member.index)) samples += member.robot->samples();
  }
  const auto total = static_cast<double>(comm_.sum(samples));
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

CellResult CellRun::take_result() {
  CellResult result;
  if (outcome_) {
    if (!outcome_->elements.empty() || !outcome_->bases.empty()) {
      for (const Member& member : members_) result.robots.push_back(member.index);
    }
    result.elements = std::move(outcome_->elements);
    result.bases = std::move(outcome_->bases);
    result.merged = std::move(outcome_->merged);
  }
  return result;
}

}  // namespace fleet
