// `fleet barrier A.h5 B.h5 ...`: the loss between saved models.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <tuple>

#include "base/hash.hpp"
#include "base/process.hpp"
#include "command/barrier_weights.hpp"
#include "command/commands.hpp"
#include "command/model_arguments.hpp"
#include "command/option.hpp"
#include "command/provenance.hpp"
#include "command/saved_fleet.hpp"
#include "instruments/interpolation.hpp"
#include "io/subprocess.hpp"
#include "torch/runtime.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

/// One kind of barrier: for every pair a line a metric, a column an alignment.
void print_barriers(const std::string& instrument, const std::string& meaning, const SavedFleet& fleet,
                    const std::vector<Measurement>& measured) {
  constexpr int kName = 36;
  constexpr int kNumber = 14;
  std::vector<std::string> alignments;
  std::map<std::pair<int, int>, std::vector<std::string>> metrics;  // of a pair, as they were measured
  std::map<std::tuple<int, int, std::string, std::string>, double> values;
  const auto note = [](std::vector<std::string>& known, const std::string& name) {
    if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
  };
  for (const Measurement& row : measured) {
    if (row.instrument != instrument) continue;
    const std::string metric = cat(row.split, ' ', row.metric);
    note(alignments, row.subject);
    note(metrics[{row.robot, row.other}], metric);
    values[{row.robot, row.other, metric, row.subject}] = row.value;
  }
  std::cout << instrument << ": " << meaning << '\n' << std::left << std::setw(kName) << "" << std::right;
  for (const std::string& alignment : alignments) std::cout << std::setw(kNumber) << alignment;
  std::cout << '\n' << std::fixed << std::setprecision(4);
  for (const auto& [pair, names] : metrics) {
    const auto path = [&](int robot) { return fleet.path(static_cast<std::size_t>(robot)).string(); };
    std::cout << path(pair.first) << " - " << path(pair.second) << '\n';
    for (const std::string& metric : names) {
      std::cout << "  " << std::left << std::setw(kName - 2) << metric << std::right;
      for (const std::string& alignment : alignments) {
        std::cout << std::setw(kNumber) << values.at({pair.first, pair.second, metric, alignment});
      }
      std::cout << '\n';
    }
  }
  std::cout << '\n';
}

/// A results file of one cell that holds the models' scores and the curves between them.
void write_barriers(const std::filesystem::path& path, SavedFleet& fleet, std::vector<Measurement> measured,
                    Provenance provenance, int ranks) {
  Settings settings = fleet.model(0).settings;
  settings["merge.method"].value = std::string("local");  // nothing was merged
  Hash id;
  id.add(to_text(settings));
  for (std::size_t i = 0; i < fleet.size(); ++i) {
    const auto weights = std::as_bytes(std::span(fleet.model(i).weights.flat()));
    id.add(std::filesystem::absolute(fleet.path(i)).string()).add(fleet.model(i).data);
    id.add(std::string_view(reinterpret_cast<const char*>(weights.data()), weights.size()));  // NOLINT
  }
  CellRecord record{
      .id = id.hex(), .columns = Cell{.settings = settings}.columns(), .settings = settings, .ranks = ranks};
  record.rounds.push_back({.round = 1, .epoch = fleet.model(0).epoch, .measurements = std::move(measured)});
  provenance["started"] = provenance["finished"] = utc_time();
  std::filesystem::create_directories(path.parent_path());
  write_cell_file(path, kBarrier, to_text(settings), record, provenance);
}

/// Has the analysis package draw `results`, where it is installed; else says how to.
void draw(const std::filesystem::path& results) {
  const std::string directory = results.parent_path().string();
  for (const char* program : {"fleet-analysis", ".venv/bin/fleet-analysis"}) {
    const Outcome drawing = fleet::run({{program, "figures", results.string(), "-o", directory}});
    if (!drawing.started) continue;
    std::cout << drawing.said;
    std::cerr << drawing.complaints;
    if (drawing.succeeded) return;
    break;
  }
  std::cout << "to draw it: fleet-analysis figures " << results.string() << " -o " << directory << '\n';
}

int run(const Call& call) {
  const Comm& world = *call.ranks;
  const po::variables_map& values = call.values;
  set_threads(1);
  std::vector<std::filesystem::path> paths;
  Settings overrides;
  std::vector<PairAlignment> alignments{PairAlignment::kNone};
  const int points = values["points"].as<int>();
  const std::filesystem::path results = std::filesystem::path(values["output"].as<std::string>()) / "barrier.h5";
  world.together([&] {
    if (world.is_root()) require_replaceable(results, kBarrierResults);
    paths = models_of(values);
    overrides = overrides_of(values);
    check_keys(overrides, paths.front(), {});
    if (values["align"].as<std::string>() == name_of(PairAlignment::kGitRebasin))
      alignments.push_back(PairAlignment::kGitRebasin);
  });
  SavedFleet fleet(paths, overrides, call.worlds, world);
  Workload* workload = nullptr;
  world.together([&] { workload = &fleet.workload("fleet barrier"); });
  const MergeInput input = fleet.input();
  const Judge judge(*workload, input, world);
  const std::vector<Measurement> measured = pairwise_barriers(input, alignments, {}, points, judge, world);
  Provenance provenance = provenance_of("barrier", call.arguments, world);
  print_barriers("barrier", "the worst value between two models, against the mean of those at both", fleet, measured);
  print_barriers("barrier above line", "against the straight line between both", fleet, measured);
  world.together([&] {
    if (world.is_root()) write_barriers(results, fleet, measured, provenance, world.size());
  });
  std::cout << "results: " << results.string() << std::endl;
  if (world.is_root()) draw(results);
  return 0;
}

po::options_description options() {
  po::options_description options = model_options();
  options.add_options()("align", one_of({"none", "git-rebasin"}, "git-rebasin"),
                        "how to align the second model to the first, beside not at all");
  options.add_options()("points", integer(between(2, 1e6), 21), "of the curve, the models themselves included");
  options.add_options()("output,o", po::value<std::string>()->default_value("barrier"), "directory for barrier.h5");
  options.add(judge_options());
  return options;
}

/// Of this program's models, or of safetensors files.
int run_either(const Call& call) {
  const Arguments& names = call.get<Arguments>("MODEL");
  if (std::filesystem::path(names.front()).extension() == ".h5") return run(call);
  return barrier_of_weights(*call.ranks, {names.begin(), names.end()}, call.values);
}

}  // namespace

Command command::barrier() {
  return {.name = "barrier",
          .summary = "loss between saved models: fleet barrier A.h5 B.h5 -o DIR",
          .usage = "A.h5 B.h5 ... [-o DIR]",
          .operand = kModels,
          .options = options,
          .run = run_either,
          .on_ranks = true,
          .computes = true};
}

}  // namespace fleet
