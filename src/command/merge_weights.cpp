#include "command/merge_weights.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "base/error.hpp"
#include "command/foreign_models.hpp"
#include "command/model_arguments.hpp"
#include "command/weight_options.hpp"
#include "io/arithmetic_merge.hpp"
#include "torch/runtime.hpp"
#include "version.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

void tell_differing(const std::vector<std::string>& names, const WeightFiles& first) {
  if (names.empty()) return;
  std::cerr << "fleet: tensors of whole numbers that differ are taken from " << first.path().string() << ": "
            << some_of(names) << '\n';
}

bool same_bytes(const fs::path& one, const fs::path& other) {
  std::error_code absent;
  if (fs::file_size(one, absent) != fs::file_size(other, absent)) return false;
  std::ifstream left(one, std::ios::binary);
  std::ifstream right(other, std::ios::binary);
  return std::equal(std::istreambuf_iterator<char>(left), {}, std::istreambuf_iterator<char>(right), {});
}

/// Companions of the first model are carried along; a word where the other models' are not the same.
void tell_companions(const std::vector<WeightFiles>& models) {
  for (const fs::path& companion : models.front().companions()) {
    for (const WeightFiles& model : models) {
      const fs::path other = model.folder() / companion.filename();
      std::error_code absent;
      if (!model.is_folder() || !fs::is_regular_file(other, absent)) continue;
      if (!same_bytes(companion, other)) {
        std::cerr << "fleet: " << companion.filename().string() << " is taken from " << companion.parent_path().string()
                  << "; that of " << model.folder().string() << " is another\n";
        break;
      }
    }
  }
}

std::string output_of(const po::variables_map& values) {
  if (!values.contains("output")) throw ConfigError("say where the merged model is to go: -o merged.safetensors");
  const auto output = values["output"].as<std::string>();
  require_named_as(ModelKind::kSafetensors, output);
  return output;
}

/// ConfigError if there can be no folder of this name.
void make_folder(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure || !fs::is_directory(folder)) throw ConfigError(cat("-o ", folder.string(), ": expected a folder"));
}

/// What a model is called: the last part of its path, also where a slash ends that.
fs::path name_of(const WeightFiles& model) {
  const fs::path path = fs::absolute(model.path()).lexically_normal();
  return path.has_filename() ? path.filename() : path.parent_path().filename();
}

/// Where an aligned model goes: into the folder, under its own name. ConfigError if another before it has that name.
fs::path place_in(const fs::path& folder, const std::vector<WeightFiles>& models, std::size_t model) {
  const fs::path name = name_of(models[model]);
  for (std::size_t i = 0; i < model; ++i) {
    if (name_of(models[i]) != name) continue;
    throw ConfigError(cat("--align-only writes models under their own names, and ", models[i].path().string(), " and ",
                          models[model].path().string(), " have the same; rename one of them"));
  }
  return folder / name;
}

/// Holds whole models and aligns them by a symmetry.
int merge_aligned(const Comm& world, const std::vector<fs::path>& paths, const po::variables_map& values,
                  const std::string& name) {
  std::vector<WeightFiles> models;
  std::optional<NetworkFile> network;
  std::unique_ptr<Merger> merger;
  std::vector<double> weights;
  std::optional<std::uint64_t> seed;  // else that which the models know of
  const bool only_aligned = values["align-only"].as<bool>();
  std::string output;
  world.together([&] {
    before_anything([&] {
      refuse_options(values, "--method " + name, {"weights", "symmetry", "align-only", "seed"});
      output = output_of(values);
      if (!values.contains("symmetry")) {
        throw ConfigError(cat("--method ", name,
                              " exchanges units: say which may be exchanged, by --symmetry policy.symmetry.json, which "
                              "`python -m fleet symmetry` makes"));
      }
      network = read_network(values["symmetry"].as<std::string>());
      models = open_weights(paths);
      if (models.size() < 2) throw ConfigError("it takes two models or more");
      for (const WeightFiles& model : models) require_same_tensors(models.front(), model);
      weights = read_weights(values, models.size(), false);
      Settings chosen = overrides_of(values);
      SettingsReader reader(chosen);
      merger = find_merger(name).make(reader);
      reject_unknown_keys(chosen, reader.resolved());
      if (values.contains("seed")) seed = static_cast<std::uint64_t>(read_number(values, "seed", 0, 0, 1e15));
      require_none_of(output, paths);
      if (!world.is_root()) return;
      if (!only_aligned) return require_room(output, models.front());
      for (std::size_t i = 0; i < models.size(); ++i) require_none_of(place_in(output, models, i), paths);
      make_folder(output);
      for (std::size_t i = 0; i < models.size(); ++i) require_room(place_in(output, models, i), models[i]);
    });
  });
  const ForeignModels fleet(models, std::move(*network), world);
  MergeInput input = fleet.input(weights);
  input.seed = seed.value_or(input.seed);
  if (input.symmetry->groups().empty() && world.is_root()) {
    std::cerr << "fleet: " << values["symmetry"].as<std::string>()
              << " has no units that can be exchanged: the models are merged as they are\n";
  }
  const MergeOutcome outcome = merger->merge(input, world);
  if (outcome.objective.size() > 1) {
    std::cout << "mean squared distance of the models from their mean: " << outcome.objective.front()
              << " as they are, " << outcome.objective.back() << " aligned\n";
  }
  const Comm alone = world.split(world.rank());
  if (only_aligned) {
    world.together([&] {
      for (std::size_t row = 0; row < input.rows.size(); ++row) {
        const auto model = static_cast<std::size_t>(input.rows[row].robot);
        const ParamVector moved = input.symmetry->apply(outcome.elements[row], fleet.weights(row));
        (void)fleet.write(moved, models[model], place_in(output, models, model), alone);
      }
    });
    std::cout << "aligned " << models.size() << " models: " << output << std::endl;
    return 0;
  }
  world.together([&] {
    if (!world.is_root()) return;
    tell_differing(fleet.write(outcome.merged, models.front(), output, alone), models.front());
    tell_companions(models);
  });
  std::cout << "merged " << models.size() << " models: " << output << std::endl;
  return 0;
}

/// The methods that go through models piece by piece.
int merge_by_arithmetic(const Comm& world, const std::vector<fs::path>& paths, const po::variables_map& values,
                        const std::string& name, Arithmetic method) {
  std::vector<WeightFiles> models;
  std::vector<WeightFiles> others;
  ArithmeticMerge merge{.method = method};
  std::string output;
  world.together([&] {
    before_anything([&] {
      const bool from_base = needs_base(method);
      if (values.contains("symmetry")) {
        throw ConfigError(cat("--symmetry is of no use to --method ", name,
                              ": only git-rebasin aligns models before it averages them"));
      }
      refuse_options(values, "--method " + name, options_of(method));
      output = output_of(values);
      models = open_weights(paths);
      if (models.size() < 2 && !from_base) throw ConfigError("it takes two models or more");
      merge.weights = read_weights(values, models.size(), method == Arithmetic::kTask);
      if (merge.weights.empty()) merge.weights.assign(models.size(), 1.0);
      merge.shares = read_shares(values);
      merge.scale = read_number(values, "scale", 1.0, -1e6, 1e6);
      merge.density = read_number(values, "density", method == Arithmetic::kTies ? 0.2 : 0.1, 1e-9, 1.0);
      merge.seed = static_cast<std::uint64_t>(read_number(values, "seed", 1, 0, 1e15));
      if (method == Arithmetic::kInterpolate && models.size() != 2) {
        throw ConfigError(cat("--method interpolate goes from one model to another; these are ", models.size()));
      }
      if (from_base) {
        if (!values.contains("base"))
          throw ConfigError(cat("--method ", name, " needs the model that all come from: --base BASE"));
        others.emplace_back(values["base"].as<std::string>());
        merge.base = &others.front();
      }
      if (method == Arithmetic::kFisher) {
        const Arguments diagonals = values.contains("fisher") ? values["fisher"].as<Arguments>() : Arguments{};
        if (diagonals.size() != models.size()) {
          throw ConfigError(cat("--method fisher needs --fisher FILE once for each of ", models.size(),
                                " models, in their order; got ", diagonals.size()));
        }
        others.reserve(diagonals.size());
        for (const std::string& file : diagonals) merge.fisher.push_back(&others.emplace_back(file));
      }
      check_arithmetic(merge, models);
      require_none_of(output, paths);
      if (world.is_root()) require_room(output, models.front());
    });
  });
  const MergeReport report = merge_arithmetic(merge, models, output, {{kMadeByEntry, cat("fleet ", kVersion)}}, world);
  if (world.is_root()) {
    tell_differing(report.from_first, models.front());
    tell_companions(models);
  }
  std::cout << "merged " << models.size() << " models: " << output << std::endl;
  return 0;
}

}  // namespace

int merge_weights(const Comm& world, const std::vector<fs::path>& paths, const po::variables_map& values) {
  set_threads(1);
  std::string method;
  world.together([&] {
    std::string known;
    for (const auto& [name, arithmetic] : kArithmetics) known += cat(name, ", ");
    known += "and with --symmetry git-rebasin";
    if (!values.contains("method")) throw ConfigError("say how to merge: --method, of safetensors files " + known);
    method = values["method"].as<std::string>();
    const auto* const found = std::ranges::find(kArithmetics, method, &std::pair<std::string_view, Arithmetic>::first);
    if (method == "git-rebasin" || found != kArithmetics.end()) return;
    for (const MergerEntry& entry : merger_table()) {
      if (entry.name != method) continue;
      throw ConfigError(cat("--method ", method,
                            " asks for the robots' data, which safetensors files do not tell of; there are ", known));
    }
    throw ConfigError(cat("--method ", method, ": there are ", known));
  });
  const auto* const found = std::ranges::find(kArithmetics, method, &std::pair<std::string_view, Arithmetic>::first);
  if (found == kArithmetics.end()) return merge_aligned(world, paths, values, method);
  return merge_by_arithmetic(world, paths, values, method, found->second);
}

}  // namespace fleet
