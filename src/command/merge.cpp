// `fleet merge A.h5 B.h5 ...`: saved models as one. Those of PyTorch's world are for merge_weights.cpp.
#include <algorithm>
#include <iomanip>
#include <iostream>

#include "command/commands.hpp"
#include "command/merge_weights.hpp"
#include "command/model_arguments.hpp"
#include "command/option.hpp"
#include "command/provenance.hpp"
#include "command/saved_fleet.hpp"
#include "command/weight_options.hpp"
#include "merge/rounds_after.hpp"
#include "merge/shared_part.hpp"
#include "sweep/cell_reader.hpp"
#include "sweep/methods.hpp"
#include "torch/runtime.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

/// A method with the options that the command line gives it.
struct ChosenMethod {
  std::string name;
  std::unique_ptr<Merger> merger;
  int rounds_after = 0;
  Settings settings;  ///< "merge.method" and every option of the method
};

ChosenMethod choose_method(const po::variables_map& values, const Settings& overrides) {
  if (!values.contains("method")) throw ConfigError("say how to merge: --method git-rebasin; `fleet list` lists them");
  Settings chosen = overrides;
  chosen.insert_or_assign("merge.method", Setting{Value(values["method"].as<std::string>()), Source{"--method"}});
  ChosenMethod method;
  SettingsReader reader(chosen);
  method.name = read_method(chosen, reader, true);
  method.merger = make_merger(find_method(method.name), reader, method.rounds_after);
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

/// ConfigError where robots kept a part of their weights to themselves, which would be merged as well.
void require_whole(const SavedFleet& fleet) {
  for (std::size_t i = 0; i < fleet.size(); ++i) {
    SettingsReader reader(fleet.model(i).settings);
    if (read_parameters(reader).empty()) continue;
    throw ConfigError(cat(fleet.path(i).string(), ": its robots have only a part of their weights in common (",
                          "merge.parameters = ", reader.resolved().at("merge.parameters").value.to_string(),
                          "), and files are merged whole: merge them within a sweep, or merge all with --set ",
                          "'merge.parameters=\"all\"'"));
  }
}

MergeOutcome merge_all(SavedFleet& fleet, const ChosenMethod& method, const Comm& world) {
  const bool by_norms = method.merger->needs().asks.to_string().empty();  // nothing else asks for data
  const std::string wanted_by = by_norms ? std::string("merge.renew_norms, which is true unless --set says false,")
                                         : cat("merge.method = ", method.name);
  MergeInput input = fleet.input(wanted_by);
  const ParamVector nothing(input.symmetry->layout());  // is known of the files beforehand
  input.center = &nothing;
  try {
    MergeOutcome outcome = method.merger->merge(input, world);
    for (int after = 1; after <= method.rounds_after; ++after) {
      MergeInput next = input;
      next.round += after;
      next.after = after;
      next.previous = next.center = &outcome.merged;
      MergeOutcome reached = method.merger->merge(next, world);
      outcome.merged = std::move(reached.merged);
    }
    return outcome;
  } catch (const Error&) {  // the same on every rank
    // A method that works layer by layer stops before it asks for data: only the workload knows the layers.
    if (input.maps.empty()) (void)fleet.workload(wanted_by);
    throw;
  }
}

int run(const Call& call) {
  const Comm& world = *call.ranks;
  const po::variables_map& values = call.values;
  set_threads(1);  // as in a sweep, to the last bit
  std::vector<std::filesystem::path> paths;
  Settings overrides;
  ChosenMethod method;
  world.together([&] {
    paths = models_of(values);
    if (!values.contains("output")) throw ConfigError("say where the merged model is to go: -o C.h5");
    const std::filesystem::path output = values["output"].as<std::string>();
    require_named_as(ModelKind::kHdf5, output);
    if (world.is_root()) {
      require_replaceable(output, kModelFile);
      require_none_of(output, paths);
    }
    overrides = overrides_of(values);
    method = choose_method(values, overrides);
    check_keys(overrides, paths.front(), method.settings);
  });
  SavedFleet fleet(paths, overrides, call.worlds, world);
  world.together([&] { require_whole(fleet); });
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
  Provenance provenance = provenance_of("merge", call.arguments, world);
  world.together([&] {
    if (world.is_root()) write_model(output, merged_model(fleet, method, outcome.merged), provenance);
  });
  std::cout << "merged " << fleet.size() << " models: " << output << std::endl;
  return 0;
}

po::options_description options() {
  std::vector<std::string> methods;
  for (const MergerEntry& entry : method_table()) {
    if (entry.regime == Regime::kMerge) methods.emplace_back(entry.name);
  }
  for (const auto& [name, method] : kArithmetics) {
    if (std::ranges::find(methods, name) == methods.end()) methods.emplace_back(name);
  }
  po::options_description options = model_options();
  options.add_options()("method,m", text(methods), "how to merge, as in merge.method");
  options.add_options()("output,o", po::value<std::string>(), "file of the merged model, or its folder");
  options.add(weight_options());
  return options;
}

/// Of this program's models, or of safetensors files.
int run_either(const Call& call) {
  const Arguments& names = call.get<Arguments>("MODEL");
  if (std::filesystem::path(names.front()).extension() != ".h5") {
    return merge_weights(*call.ranks, {names.begin(), names.end()}, call.values);
  }
  call.ranks->together([&] { refuse_options(call.values, "models of this program's own", {}); });
  return run(call);
}

}  // namespace

Command command::merge() {
  return {.name = "merge",
          .summary = "merge saved models, or safetensors files: fleet merge A.h5 B.h5 --method M -o C.h5",
          .usage = "A.h5 B.h5 ... --method M -o C.h5",
          .operand = kModels,
          .options = options,
          .run = run_either,
          .on_ranks = true,
          .computes = true};
}

}  // namespace fleet
