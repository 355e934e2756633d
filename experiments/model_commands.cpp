#include "model_commands.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <map>
#include <tuple>

#include "base/hash.hpp"
#include "base/process.hpp"
#include "instruments/interpolation.hpp"
#include "io/subprocess.hpp"
#include "io/toml.hpp"
#include "provenance.hpp"
#include "saved_fleet.hpp"
#include "torch/runtime.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

std::vector<std::filesystem::path> models_of(const po::variables_map& values) {
  const Arguments& names = values["MODEL"].as<Arguments>();
  if (names.size() < 2) throw ConfigError("it takes two models or more");
  return {names.begin(), names.end()};
}

Settings overrides_of(const po::variables_map& values) {
  Settings overrides;
  if (!values.contains("set")) return overrides;
  for (const std::string& text : values["set"].as<Arguments>()) overrides.insert(parse_override(text));
  return overrides;
}

/// ConfigError for a key that is neither among the settings of the first model nor `others`.
void check_keys(const Settings& overrides, const std::filesystem::path& first, const Settings& others) {
  Settings known = read_model(first).settings;
  known.insert(others.begin(), others.end());
  reject_unknown_keys(overrides, known);
}

/// A method with the options that the command line gives it.
struct ChosenMethod {
  std::string name;
  std::unique_ptr<Merger> merger;
  Settings settings;  ///< "merge.method" and every option of the method
};

ChosenMethod choose_method(const po::variables_map& values, const Settings& overrides) {
  if (!values.contains("method")) throw ConfigError("say how to merge: --method git-rebasin; `fleet list` lists them");
  Settings chosen = overrides;
  chosen.insert_or_assign("merge.method", Setting{Value(values["method"].as<std::string>()), Source{"--method"}});
  std::vector<std::string_view> names;
  for (const MergerEntry& entry : merger_table()) {
    if (entry.regime == Regime::kMerge) names.push_back(entry.name);
  }
  ChosenMethod method;
  SettingsReader reader(chosen);
  reader.read("merge.method", method.name, names);
  method.merger = find_merger(method.name).make(reader);
  method.settings = reader.resolved();
  return method;
}

void print_scores(const std::string& name, Workload& workload, const ParamVector& weights, const Comm& comm) {
  std::cout << "  " << std::left << std::setw(36) << name;
  for (const NamedValue& tested : test_together(workload, weights, comm)) {
    std::cout << "  " << tested.name << ' ' << std::fixed << std::setprecision(4) << tested.value;
  }
  std::cout << '\n';
}

/// The merged policy as a model of the first file's problem.
SavedModel merged_model(const SavedFleet& fleet, const ChosenMethod& method, const ParamVector& merged) {
  SavedModel model = fleet.model(0);
  std::erase_if(model.settings, [](const auto& setting) { return setting.first.starts_with("merge."); });
  for (const auto& [key, setting] : method.settings) model.settings.insert_or_assign(key, setting);
  model.robot = kMergedPolicy;
  model.samples = 0;
  for (std::size_t i = 0; i < fleet.size(); ++i) model.samples += fleet.model(i).samples;
  model.weights = merged;
  return model;
}

MergeOutcome merge_all(SavedFleet& fleet, const ChosenMethod& method, const Comm& world) {
  const std::string wanted_by = cat("merge.method = ", method.name);
  const MergeInput input = fleet.input(wanted_by);
  try {
    return method.merger->merge(input, world);
  } catch (const Error&) {  // the same on every rank
    // A method that works layer by layer stops before it asks for data: only the workload knows the layers.
    if (input.maps.empty()) (void)fleet.workload(wanted_by);
    throw;
  }
}

/// ConfigError unless the merged model may take this place, which is that of none of the models.
void check_merged(const std::filesystem::path& output, const std::vector<std::filesystem::path>& models,
                  const Comm& world) {
  if (!world.is_root()) return;
  require_replaceable(output, kModelFile);
  for (const std::filesystem::path& model : models) {
    std::error_code absent;
    if (std::filesystem::equivalent(output, model, absent)) {
      throw ConfigError(cat("-o ", output.string(), " is one of the models to be merged; choose another name"));
    }
  }
}

int merge_on(const Comm& world, const Arguments& arguments, const po::variables_map& values) {
  set_threads(1);  // as in a sweep, to the last bit
  std::vector<std::filesystem::path> paths;
  Settings overrides;
  ChosenMethod method;
  world.together([&] {
    paths = models_of(values);
    if (!values.contains("output")) throw ConfigError("say where the merged model is to go: -o C.h5");
    check_merged(values["output"].as<std::string>(), paths, world);
    overrides = overrides_of(values);
    method = choose_method(values, overrides);
    check_keys(overrides, paths.front(), method.settings);
  });
  SavedFleet fleet(paths, overrides, world);
  const MergeOutcome outcome = merge_all(fleet, method, world);
  const std::string output = values["output"].as<std::string>();
  if (fleet.has_workload()) {
    Workload& workload = fleet.workload("");
    std::cout << "on the test set:\n";
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      print_scores(fleet.path(i).string(), workload, fleet.model(i).weights, world);
    }
    print_scores(cat(output, " (", method.name, ')'), workload, outcome.merged, world);
  } else {
    std::cout << "not tested: " << fleet.missing() << '\n';
  }
  Provenance provenance = provenance_of("merge", arguments, world);
  world.together([&] {
    if (world.is_root()) write_model(output, merged_model(fleet, method, outcome.merged), provenance);
  });
  std::cout << "merged " << fleet.size() << " models: " << output << std::endl;
  return 0;
}

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

int barriers_on(const Comm& world, const Arguments& arguments, const po::variables_map& values) {
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
    const std::string align = values["align"].as<std::string>();
    if (align == name_of(PairAlignment::kGitRebasin)) {
      alignments.push_back(PairAlignment::kGitRebasin);
    } else if (align != name_of(PairAlignment::kNone)) {
      throw ConfigError(cat("--align ", align, ": expected none or git-rebasin"));
    }
    if (points < 2) throw ConfigError(cat("--points ", points, ": expected at least 2, the models themselves"));
  });
  SavedFleet fleet(paths, overrides, world);
  Workload* workload = nullptr;
  world.together([&] { workload = &fleet.workload("fleet barrier"); });
  const MergeInput input = fleet.input();
  const Judge judge(*workload, input, world);
  const std::vector<Measurement> measured = pairwise_barriers(input, alignments, {}, points, judge, world);
  Provenance provenance = provenance_of("barrier", arguments, world);
  print_barriers("barrier", "the worst value between two models, against the mean of those at both", fleet, measured);
  print_barriers("barrier above line", "against the straight line between both", fleet, measured);
  world.together([&] {
    if (world.is_root()) write_barriers(results, fleet, measured, provenance, world.size());
  });
  std::cout << "results: " << results.string() << std::endl;
  if (world.is_root()) draw(results);
  return 0;
}

po::options_description common_options() {
  po::options_description options("Options");
  options.add_options()("set", po::value<Arguments>()->composing(),
                        "KEY=VALUE: over the models' settings, say run.data=DIR; may be repeated");
  return options;
}

}  // namespace

int merge_models(const Arguments& arguments) {
  po::options_description options = common_options();
  options.add_options()("method,m", po::value<std::string>(), "how to merge, as in merge.method");
  options.add_options()("output,o", po::value<std::string>(), "file of the merged model");
  return on_ranks(arguments, [&](const Comm& world) {
    const auto values = parse(arguments, options, "MODEL", "fleet merge A.h5 B.h5 ... --method M -o C.h5", -1);
    return values ? merge_on(world, arguments, *values) : 0;
  });
}

int measure_barriers(const Arguments& arguments) {
  po::options_description options = common_options();
  options.add_options()("align", po::value<std::string>()->default_value("git-rebasin"),
                        "how to align the second model to the first, beside not at all: none or git-rebasin");
  options.add_options()("points", po::value<int>()->default_value(21), "of the curve, its ends included");
  options.add_options()("output,o", po::value<std::string>()->default_value("barrier"), "directory for barrier.h5");
  return on_ranks(arguments, [&](const Comm& world) {
    const auto values = parse(arguments, options, "MODEL", "fleet barrier A.h5 B.h5 ... -o DIR", -1);
    return values ? barriers_on(world, arguments, *values) : 0;
  });
}

}  // namespace fleet
