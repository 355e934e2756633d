#include "sweep/calibration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/stopwatch.hpp"
#include "comm/placement.hpp"
#include "merge/rounds_after.hpp"
#include "merge/shared_part.hpp"
#include "sweep/methods.hpp"

namespace fleet {
namespace {

constexpr double kSecondsEach = 0.5;  // that a step or a test is tried for
constexpr int kMostTries = 300;
constexpr std::int64_t kSteps = 10;  // of training that are tried at once
constexpr std::size_t kFew = 2;      // robots of the smaller merge that is tried
constexpr std::size_t kMore = 4;
constexpr double kLongMerge = 5.0;  // seconds: after one of these no larger one is tried

/// Keys that say how often something is done, not what it costs.
constexpr std::array<std::string_view, 12> kCounts = {
    "seed",          "fleet.alpha",     "train.epochs",       "train.robots",
    "train.until",   "evaluate.target", "merge.every_epochs", "merge.participation",
    "merge.dropped", "merge.late",      "evaluate.local",     "evaluate.every_rounds"};

std::string kind_of(const Cell& cell) {
  std::string kind;
  for (const auto& [key, setting] : cell.settings.whole()) {
    if (std::ranges::find(kCounts, key) == kCounts.end()) kind += cat(key, '=', setting.value.to_string(), '\n');
  }
  return kind + (cell.fleet.rounds() > 1 ? "merges again" : "merges once");
}

/// Mean seconds of what `act` says that it has done. It is called once and, unless that took long, as often as there is
/// time for.
template <class Act>
double mean_seconds(const Act& act) {
  Stopwatch watch;
  std::int64_t done = act();
  if (watch.seconds() > kSecondsEach) return watch.seconds() / static_cast<double>(std::max<std::int64_t>(done, 1));
  watch.lap();  // what is done once is no part of it
  done = 0;
  for (int i = 0; i < kMostTries && (i == 0 || watch.seconds() < kSecondsEach); ++i) done += act();
  return watch.seconds() / static_cast<double>(std::max<std::int64_t>(done, 1));
}

/// Takes some steps, fewer where they take long; how many.
std::int64_t train_some(AwakeRobot& robot) {
  const Stopwatch watch;
  std::int64_t taken = 0;
  bool cut = false;
  robot.train(kSteps, [&] {
    cut = taken > 0 && watch.seconds() > kSecondsEach;
    taken += cut ? 0 : 1;
    return cut;
  });
  return cut ? taken : kSteps;
}

/// Some of the robots that have data, each a step on its way; `seconds`: that waking the last one took.
std::vector<AwakeRobot> wake_some(Workload& workload, int robots, bool joint, double& seconds) {
  constexpr int kLooked = 1000;
  std::vector<AwakeRobot> awake;
  awake.reserve(kMore);
  Stopwatch watch;
  const auto wake = [&](std::unique_ptr<Robot> robot) {
    AwakeRobot& own = awake.emplace_back(std::move(robot), workload.symmetry().layout(), workload.optimizer());
    own.robot->expect(kMostTries);
    seconds = watch.seconds();
    own.train(1, [] { return false; });
  };
  if (joint) {
    wake(workload.make_joint_robot());
    return awake;
  }
  for (int i = 0; i < std::min(robots, kLooked) && awake.size() < kMore; ++i) {
    if (workload.steps_per_epoch(i) == 0) continue;
    watch.lap();
    wake(workload.make_robot(i));
  }
  return awake;
}

/// What a merge of robots has made of them, and how long it took.
struct TimedMerge {
  MergeOutcome outcome;
  double seconds = 0.0;
};

/// `shared`: what is merged of the robots' weights, where that is not all.
TimedMerge merge(Merger& merger, int round, const Workload& workload, const SharedPart* shared,
                 std::span<const AwakeRobot> robots, const Comm& alone) {
  MergeInput input{.symmetry = &workload.symmetry(), .maps = workload.maps(), .round = round};
  for (std::size_t i = 0; i < robots.size(); ++i) {
    const auto index = static_cast<int>(i);
    input.participants.push_back(index);
    input.rows.push_back({.robot = index,
                          .weights = &robots[i].weights,
                          .samples = static_cast<double>(robots[i].robot->samples()),
                          .participates = true,
                          .data = robots[i].robot.get()});
  }
  const Stopwatch watch;
  const auto merge_shared = [&] {
    const SharedFleet fleet(*shared, input);
    return shared->whole_outcome(merger.merge(fleet.input(), alone));
  };
  MergeOutcome outcome = shared != nullptr ? merge_shared() : merger.merge(input, alone);
  return {.outcome = std::move(outcome), .seconds = watch.seconds()};
}

/// The most that a rank has to do of what is drawn at random from all ranks: the mean of the largest of so many shares.
double largest_share(double count, int ranks) {
  if (ranks == 1) return count;
  const double mean = count / ranks;
  const double spread = std::sqrt(mean * (1.0 - 1.0 / ranks));
  return std::min(count, mean + spread * std::sqrt(2.0 * std::log(static_cast<double>(ranks))) * 0.5);
}

}  // namespace

Calibration::Rates Calibration::measure(const Cell& cell) {
  const Settings whole = cell.settings.whole();
  World& world = *worlds_.at(cell.workload);
  const std::array<const Settings*, 1> cells = {&whole};
  Stopwatch watch;
  world.load(cells, alone_);
  loading_ += watch.lap();
  const std::unique_ptr<Workload> workload = world.make(whole);
  Rates rates{.setup = watch.lap(), .parts = workload->test_parts()};
  for (int i = 0; i < cell.fleet.robots; ++i) {
    rates.steps.push_back(workload->steps_per_epoch(i));
    rates.own_parts += static_cast<double>(workload->parts_of(i).size()) / cell.fleet.robots;
  }

  const Regime regime = find_method(cell.method).regime;
  std::vector<AwakeRobot> robots = wake_some(*workload, cell.fleet.robots, regime == Regime::kJoint, rates.wake);
  if (robots.empty()) return rates;
  AwakeRobot& first = robots.front();
  rates.step = mean_seconds([&] { return train_some(first); });
  int part = 0;
  rates.part = mean_seconds([&] {
    (void)workload->test_scores(first.weights, part++ % rates.parts);
    return 1;
  });
  if (regime == Regime::kMerge) measure_merges(cell, *workload, robots, rates);
  return rates;
}

void Calibration::measure_merges(const Cell& cell, const Workload& workload, std::vector<AwakeRobot>& robots,
                                 Rates& rates) const {
  const Settings whole = cell.settings.whole();
  SettingsReader settings(whole);
  const MergerEntry& entry = find_method(cell.method);
  const std::span<const AwakeRobot> all(robots);
  const std::size_t few = std::min(kFew, all.size());
  const std::unique_ptr<Merger> of_few = entry.make(settings);
  std::optional<SharedPart> part;
  if (!cell.fleet.parameters.empty()) {
    part.emplace(workload.symmetry(), workload.maps(), cell.fleet.parameters, of_few->needs().between);
  }
  const SharedPart* const shared = part ? &*part : nullptr;
  const auto merge_some = [&](Merger& merger, int round, std::span<const AwakeRobot> some) {
    return merge(merger, round, workload, shared, some, alone_);
  };
  (void)merge_some(*entry.make(settings), 1, all.first(1));  // what is done once is no part of it
  TimedMerge merged = merge_some(*of_few, 1, all.first(few));
  rates.merge_robot = merged.seconds / static_cast<double>(few);
  Merger* merger = of_few.get();
  std::span<AwakeRobot> fleet = std::span(robots).first(few);
  const std::unique_ptr<Merger> of_all = entry.make(settings);
  if (all.size() > few && merged.seconds <= kLongMerge) {
    const double seconds = merged.seconds;
    merged = merge_some(*of_all, 1, all);
    rates.merge_robot = std::max(0.0, merged.seconds - seconds) / static_cast<double>(all.size() - few);
    rates.merge = std::max(0.0, seconds - rates.merge_robot * static_cast<double>(few));
    merger = of_all.get();
    fleet = robots;
  }
  if (cell.fleet.rounds() == 1) return;
  if (cell.fleet.rounds_after > 0) {
    const bool quadratic = robots.front().robot->is_quadratic();
    rates.after = read_rounds_after(settings, entry.rounds_after).steps_in_round(quadratic);
  }
  for (std::size_t i = 0; i < fleet.size(); ++i) {
    AwakeRobot& robot = fleet[i];
    robot.weights = part ? part->personal(merged.outcome, i, robot.weights) : merged.outcome.merged;
    (void)train_some(robot);
  }
  rates.later = merge_some(*merger, 2, fleet).seconds / std::max(merged.seconds, 1e-9);
}

const Calibration::Rates& Calibration::rates_of(const Cell& cell) {
  const std::string kind = kind_of(cell);
  const auto known = rates_.find(kind);
  return known != rates_.end() ? known->second : rates_.emplace(kind, measure(cell)).first->second;
}

CellTime Calibration::time(const Cell& cell, int ranks) {
  const Rates& rates = rates_of(cell);
  const FleetOptions& fleet = cell.fleet;
  const Regime regime = find_method(cell.method).regime;
  const bool some = regime == Regime::kMerge && fleet.trainees == FleetOptions::Trainees::kParticipants;
  const Placement placement{.robots = fleet.robots, .ranks = ranks};
  const double all_steps =
      static_cast<double>(std::accumulate(rates.steps.begin(), rates.steps.end(), std::int64_t{0}));
  const auto with_data = static_cast<int>(std::ranges::count_if(rates.steps, [](std::int64_t s) { return s > 0; }));
  const int drawn = fleet.drawn(std::max(1, with_data));

  double steps = 0.0;  // of the busiest rank in a local epoch
  if (regime == Regime::kJoint) {
    steps = fleet.joint_steps == FleetOptions::JointSteps::kFleet ? all_steps : all_steps / std::max(1, with_data);
  } else if (some) {
    steps = largest_share(drawn, ranks) * all_steps / std::max(1, with_data);
  } else {
    for (int rank = 0; rank < ranks; ++rank) {
      const auto begin = rates.steps.begin() + placement.begin(rank);
      const auto end = rates.steps.begin() + placement.end(rank);
      steps = std::max(steps, static_cast<double>(std::accumulate(begin, end, std::int64_t{0})));
    }
  }

  const int rounds = fleet.rounds();
  const int tests = fleet.test_every == 0 ? 1 : (rounds + fleet.test_every - 1) / fleet.test_every;
  const double models = some ? largest_share(drawn, ranks) + 1.0 : std::ceil(1.0 * fleet.robots / ranks);
  double parts = 0.0;                               // that the busiest rank tests
  const bool personal = !fleet.parameters.empty();  // then every robot's policy is tested after a merge
  if (regime != Regime::kLocal) {
    parts += tests * (personal ? models * rates.own_parts : std::ceil(1.0 * rates.parts / ranks));
  }
  const bool every = regime == Regime::kLocal || fleet.local_tests == FleetOptions::LocalTests::kEvery;
  const bool ever = regime != Regime::kJoint && (every || fleet.local_tests == FleetOptions::LocalTests::kLast);
  const double own_parts = ever ? (every ? tests : 1) * models * rates.own_parts : 0.0;
  double steps_after = 0.0;  // of a robot by itself, after the last merge: an instrument, so part of what is measured
  if (const InstrumentOptions& look = cell.instruments; regime == Regime::kMerge && look.personal_steps > 0) {
    for (int done = 0; done < look.personal_steps;) {
      done = std::min(done + look.personal_every, look.personal_steps);
      steps_after += done;  // from the start each time
      parts += models * rates.own_parts;
    }
    parts += models * rates.own_parts;
  }

  CellTime time{.setup = rates.setup,
                .train = steps * fleet.epochs * rates.step,
                .evaluate = parts * rates.part + steps_after * models * rates.step,
                .evaluate_trained = own_parts * rates.part};
  if (regime == Regime::kMerge) {
    const double merged = some ? largest_share(drawn, ranks) : std::ceil(1.0 * drawn / ranks);
    time.merge = (1.0 + (rounds - 1) * rates.later) * (rates.merge + rates.merge_robot * merged);
    time.merge += merged * fleet.rounds_after * rates.after * rates.step;
    if (some) time.train += rounds * merged * rates.wake;
  }
  return time;
}

}  // namespace fleet
