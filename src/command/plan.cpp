// `fleet plan CONFIG`: what a sweep would run, where and with how much memory.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/process.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"
#include "command/sweep_arguments.hpp"
#include "io/toml.hpp"
#include "sweep/calibration.hpp"
#include "sweep/common_training.hpp"
#include "sweep/cost.hpp"
#include "sweep/holdings.hpp"
#include "sweep/progress.hpp"
#include "sweep/runner.hpp"
#include "torch/runtime.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

std::string human_bytes(double bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024.0 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024.0;
  std::ostringstream text;
  text << std::fixed << std::setprecision(bytes < 10.0 && unit > 0 ? 1 : 0) << bytes << ' ' << kUnits[unit];
  return text.str();
}

double node_memory_bytes() {
  return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
}

/// What a rank with `per_rank` robots needs, and whether this machine has it.
void print_memory(std::ostream& out, const Sweep& sweep, int per_rank) {
  std::int64_t parameters = 0;
  double dataset = 0.0;
  double needed = 0.0;
  Holdings fullest;
  for (const Cell& cell : sweep.cells) {
    const Holdings holdings = holdings_of(cell, std::min(per_rank, cell.fleet.robots));
    parameters = std::max(parameters, cell.facts.parameters);
    dataset = std::max(dataset, static_cast<double>(cell.facts.dataset_bytes));
    needed = std::max(needed, holdings.bytes + static_cast<double>(cell.facts.rank_bytes));
    if (holdings.bytes >= fullest.bytes) fullest = holdings;
  }
  needed += 250e6;  // the libraries themselves take most of a rank
  out << "memory    " << human_bytes(dataset) << " of data once per node; per rank up to " << human_bytes(needed)
      << " (" << parameters << " weights per robot)\n";
  if (fullest.with_weights < fullest.robots || fullest.with_moments < fullest.robots) {
    out << "          of " << fullest.robots << " robots of a rank up to " << fullest.with_weights
        << " hold weights at once, and " << fullest.with_moments << " moments; the others rest\n";
  }
  if (const double here = node_memory_bytes(); needed + dataset > here) {
    out << "warning   that is more than this machine has, " << human_bytes(here)
        << ": run it on more ranks on more machines, or on larger ones\n";
  }
}

/// Which methods of the sweep need what of the fleet's models, for those who must know whether a rank can hold them.
void print_exchange(std::ostream& out, const Sweep& sweep) {
  struct Part {
    Exchange exchange;
    const char* what;
  };
  constexpr std::array kParts = {
      Part{Exchange::kSums, "sums over robots, as large as one model or its layers' moments"},
      Part{Exchange::kInTurn, "sums, and models one after another, up to one a robot and sweep"},
      Part{Exchange::kAllModels, "all models at once on every rank"},
  };
  bool first = true;
  for (const Part& part : kParts) {
    std::vector<std::string> methods;
    double bytes = 0.0;
    for (const Cell& cell : sweep.cells) {
      if (cell.exchange != part.exchange) continue;
      if (std::find(methods.begin(), methods.end(), cell.method) == methods.end()) methods.push_back(cell.method);
      bytes = std::max(bytes, 4.0 * static_cast<double>(cell.facts.parameters) * cell.fleet.robots);
    }
    if (methods.empty()) continue;
    out << (first ? "merging   " : "          ") << part.what;
    if (part.exchange == Exchange::kAllModels) out << ", " << human_bytes(bytes);
    for (const std::string& method : methods) out << (method == methods.front() ? ": " : ", ") << method;
    out << '\n';
    first = false;
  }
}

/// How many cells need not train, and what is kept for them.
void print_training(std::ostream& out, const Sweep& sweep, const SweepDirectory& directory, int groups) {
  std::vector<std::size_t> all(sweep.cells.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const std::vector<bool> first = trains(sweep, all, directory, groups);
  const auto alike = std::ranges::count(first, false);
  if (alike == 0) return;
  constexpr double kVectors = 3.0;  // weights, and an optimiser's two moments
  double largest = 0.0;
  for (const Cell& cell : sweep.cells) {
    if (cell.training.empty()) continue;
    largest =
        std::max(largest, kVectors * sizeof(float) * static_cast<double>(cell.facts.parameters) * cell.fleet.robots);
  }
  out << "training  " << alike
      << " of the cells go on from what others have trained, as they differ in the merge alone ("
      << human_bytes(largest) << " on disk for each training)\n";
}

void print_plan(std::ostream& out, const Sweep& sweep, int ranks, bool list_cells) {
  const Groups groups = make_groups(sweep, ranks, sweep.cells.size());
  int robots = 1;
  for (const Cell& cell : sweep.cells) robots = std::max(robots, cell.fleet.robots);
  const int smallest = groups.size(groups.count - 1);
  const int per_rank = 1 + (robots - 1) / smallest;
  std::size_t done = 0;
  const SweepDirectory directory(sweep.run.output);
  const CellStates states = directory.states();
  for (const Cell& cell : sweep.cells) done += state_in(states, cell.id) == CellState::kDone ? 1 : 0;

  out << "sweep     " << sweep.name << " -> " << sweep.run.output << '\n';
  out << "cells     " << sweep.cells.size() << " (" << done << " done"
      << (sweep.left_out > 0 ? cat("; ", sweep.left_out, " left out") : "") << ")\n";
  if (const std::string obstacle = directory.obstacle({.collect = true}); !obstacle.empty()) {
    out << "refused   " << obstacle << '\n';
  }
  if (const std::string changes = directory.changes(sweep); !changes.empty()) {
    out << "changes   " << sweep.run.output
        << " holds a sweep of another configuration; to run this one there takes --accept-changes:" << changes << '\n';
  }
  for (const Axis& axis : sweep.axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      out << (k == 0 ? "  axis    " : "  zipped  ") << axis.keys[k] << " =";
      for (const auto& point : axis.points) out << ' ' << point[k].to_string();
      out << '\n';
    }
  }
  for (const Exclusion& exclusion : sweep.exclusions) {
    const char* separator = "  without ";
    for (const auto& [key, values] : exclusion.conditions) {
      out << std::exchange(separator, ", ") << key << " =";
      for (const Value& value : values) out << ' ' << value.to_string();
    }
    out << '\n';
  }
  out << "ranks     " << ranks << " in " << groups.count << (groups.count == 1 ? " group" : " groups") << " of "
      << smallest << (groups.size(0) != smallest ? cat(" or ", groups.size(0)) : "") << '\n';
  out << "robots    up to " << robots << ", " << per_rank << " on a rank"
      << (sweep.asks_for_gpus() ? ", which computes on one of its node's GPUs\n" : "\n");
  print_training(out, sweep, directory, groups.count);
  print_memory(out, sweep, per_rank);
  print_exchange(out, sweep);
  if (list_cells) {
    for (const Cell& cell : sweep.cells) out << cell.id << "  " << cell.label() << '\n';
  }
}

/// What is left to do, on groups that take the costliest cell first: when the last is done, and what it is spent on.
/// Cells of a workload and method that others of the sweep have finished with are expected to take as long for their
/// size; of all others a kind is tried.
void print_time(std::ostream& out, const Sweep& sweep, int ranks, Worlds& worlds, const Comm& alone) {
  constexpr double kLaunch = 0.5;            // seconds that mpirun takes on one machine
  const double start = processor_seconds();  // of this program, which has read the sweep by now
  const SweepDirectory directory(sweep.run.output);
  const CellStates states = directory.states();
  const CostModel costs(sweep, directory, states);
  Calibration calibration(worlds, alone);
  const Groups groups = make_groups(sweep, ranks, sweep.cells.size());
  const int size = groups.size(groups.count - 1);
  CellTime sum;
  std::vector<double> seconds;  // of each cell
  double measured = 0.0;
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    if (state_in(states, sweep.cells[i].id) != CellState::kDone) todo.push_back(i);
  }
  const std::vector<bool> first = trains(sweep, todo, directory, groups.count);
  for (std::size_t i = 0; i < todo.size(); ++i) {
    const Cell& cell = sweep.cells[todo[i]];
    if (costs.knows(cell)) {
      seconds.push_back(costs.rank_seconds(cell, first[i]) / size);
      measured += seconds.back();
      continue;
    }
    CellTime time = calibration.time(cell, size);
    if (!first[i]) time.train = time.evaluate_trained = 0.0;
    sum.setup += time.setup;
    sum.train += time.train;
    sum.merge += time.merge;
    sum.evaluate += time.evaluate + time.evaluate_trained;
    seconds.push_back(time.total());
  }
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const double crowding = std::max(1.0, static_cast<double>(ranks) / cores);
  std::ranges::sort(seconds, std::greater<>());
  std::vector<double> ends(static_cast<std::size_t>(groups.count), 0.0);
  for (const double cell : seconds) *std::ranges::min_element(ends) += cell;
  const double whole =  // in seconds
      kLaunch + crowding * (start + calibration.loading() + *std::ranges::max_element(ends));
  out << "time      about " << duration_text(whole) << " for " << seconds.size()
      << (seconds.size() == 1 ? " cell" : " cells") << " on " << ranks << (ranks == 1 ? " rank" : " ranks")
      << (crowding > 1.0 ? cat(", of which this machine has cores for ", cores) : "") << '\n';
  const double all = sum.total() + measured;
  if (all <= 0.0) return;
  out << "          training " << std::lround(100.0 * sum.train / all) << " %, merging "
      << std::lround(100.0 * sum.merge / all) << " %, testing " << std::lround(100.0 * sum.evaluate / all) << " %";
  if (measured > 0.0) out << "; as measured on finished cells " << std::lround(100.0 * measured / all) << " %";
  out << '\n';
}

po::options_description options() {
  po::options_description options = sweep_options();
  options.add_options()("ranks,n", integer(between(1, 1e6), 1), "ranks that mpirun will start");
  options.add_options()("resolved", "print the whole configuration, defaults included, and nothing else");
  options.add_options()("cells", "list every cell");
  options.add_options()("time", "say how long it will take: each kind of cell is tried for a few seconds");
  return options;
}

int plan_sweep(const Call& call) {
  Worlds made;
  const Sweep sweep = read_sweep(call.values, read_toml_text(config_of(call.values)), call.worlds, made);
  if (call.has("resolved")) {
    std::cout << sweep.resolved;
    return 0;
  }
  const int ranks = call.get<int>("ranks");
  print_plan(std::cout, sweep, ranks, call.has("cells"));
  if (!call.has("time")) return 0;
  return on_ranks("plan", call.arguments, [&](const Comm& world) {
    require(world.size() == 1, "fleet plan --time runs on one rank; -n says for how many the time is wanted");
    set_threads(sweep.run.threads);
    Worlds loading = std::move(made);  // what they share on a node does not outlive the ranks
    print_time(std::cout, sweep, ranks, loading, world);
    return 0;
  });
}

}  // namespace

Command command::plan() {
  return {.name = "plan",
          .summary = "say what a sweep would run, and check everything without training",
          .usage = "CONFIG [options]",
          .operand = kConfig,
          .options = options,
          .run = plan_sweep,
          .computes = true};
}

}  // namespace fleet
