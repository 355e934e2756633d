#include "command/merge_weights.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "base/error.hpp"
#include "command/foreign_models.hpp"
#include "command/model_arguments.hpp"
#include "io/arithmetic_merge.hpp"
#include "torch/runtime.hpp"
#include "version.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

double number_of(const std::string& text, const std::string& option) {
  double number = 0.0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    throw ConfigError(cat(option, ' ', text, ": expected a number"));
  }
  return number;
}

double read_number(const po::variables_map& values, const char* option, double otherwise, double low, double high) {
  if (!values.contains(option)) return otherwise;
  const auto text = values[option].as<std::string>();
  const double number = number_of(text, cat("--", option));
  if (!(number >= low && number <= high)) {
    throw ConfigError(cat("--", option, ' ', text, ": expected a number from ", low, " to ", high));
  }
  return number;
}

/// --weights 1,2.5,1: one a model, none negative unless changes are weighted; empty if it is absent.
std::vector<double> read_weights_option(const po::variables_map& values, std::size_t models, bool may_subtract) {
  std::vector<double> weights;
  if (!values.contains("weights")) return weights;
  const auto text = values["weights"].as<std::string>();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    weights.push_back(number_of(text.substr(begin, end - begin), "--weights"));
    begin = end + 1;
  }
  double sum = 0.0;
  for (const double weight : weights) {
    if (weight < 0.0 && !may_subtract) throw ConfigError(cat("--weights ", text, ": none may be below 0"));
    sum += weight;
  }
  if (weights.size() != models) {
    throw ConfigError(cat("--weights ", text, ": these are ", weights.size(), " for ", models, " models"));
  }
  if (sum == 0.0) throw ConfigError(cat("--weights ", text, ": their sum must not be 0"));
  return weights;
}

/// --weight 0.3, or --weight 'PATTERN=0.3' again and again.
std::vector<std::pair<std::string, double>> read_shares(const po::variables_map& values) {
  std::vector<std::pair<std::string, double>> shares;
  if (!values.contains("weight")) return {{"*", 0.5}};
  for (const std::string& text : values["weight"].as<Arguments>()) {
    const std::size_t sign = text.rfind('=');
    const std::string pattern = sign == std::string::npos ? "*" : text.substr(0, sign);
    shares.emplace_back(pattern, number_of(sign == std::string::npos ? text : text.substr(sign + 1), "--weight"));
  }
  return shares;
}

/// ConfigError for an option that this method does not read.
void refuse_options(const po::variables_map& values, const std::string& what,
                    const std::vector<std::string_view>& of_use) {
  for (const char* option :
       {"weight", "weights", "base", "fisher", "density", "scale", "seed", "symmetry", "align-only"}) {
    if (!values.contains(option) || std::ranges::find(of_use, std::string_view(option)) != of_use.end()) continue;
    if (std::string_view(option) == "align-only" && !values["align-only"].as<bool>()) continue;
    throw ConfigError(cat("--", option, " is of no use to ", what));
  }
}

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
  return values["output"].as<std::string>();
}

/// ConfigError if the output is one of what is merged.
void require_new(const fs::path& output, const std::vector<fs::path>& models) {
  for (const fs::path& model : models) {
    std::error_code absent;
    if (fs::equivalent(output, model, absent)) {
      throw ConfigError(cat("-o ", output.string(), " is one of the models to be merged; choose another name"));
    }
  }
}

/// Runs what only reads headers and options, so that what it complains of is the user's to put right before anything
/// was done.
template <class Work>
auto before_anything(Work work) {
  try {
    return work();
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    throw ConfigError(error.what());
  }
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

/// The methods that hold whole models and align them by a symmetry.
int merge_aligned(const Comm& world, const std::vector<fs::path>& paths, const po::variables_map& values,
                  const std::string& name) {
  std::vector<WeightFiles> models;
  std::optional<NetworkFile> network;
  std::unique_ptr<Merger> merger;
  std::vector<double> weights;
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
      weights = read_weights_option(values, models.size(), false);
      Settings chosen = overrides_of(values);
      SettingsReader reader(chosen);
      merger = find_merger(name).make(reader);
      reject_unknown_keys(chosen, reader.resolved());
      require_new(output, paths);
      if (world.is_root() && !only_aligned) require_room(output, models.front());
      if (world.is_root() && only_aligned) make_folder(output);
    });
  });
  const ForeignModels fleet(models, std::move(*network), world);
  MergeInput input = fleet.input(weights);
  input.seed = static_cast<std::uint64_t>(read_number(values, "seed", static_cast<double>(input.seed), 0, 1e15));
  const MergeOutcome outcome = merger->merge(input, world);
  if (outcome.objective.size() > 1) {
    std::cout << "mean squared distance of the models from their mean: " << outcome.objective.front()
              << " as they are, " << outcome.objective.back() << " aligned\n";
  }
  const Comm alone = world.split(world.rank());
  if (only_aligned) {
    world.together([&] {
      for (std::size_t row = 0; row < input.rows.size(); ++row) {
        const WeightFiles& model = models[static_cast<std::size_t>(input.rows[row].robot)];
        const fs::path target = fs::path(output) / name_of(model);
        require_room(target, model);
        const ParamVector moved = input.symmetry->apply(outcome.elements[row], fleet.weights(row));
        (void)fleet.write(moved, model, target, alone);
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

std::vector<std::string_view> options_of(Arithmetic method) {
  switch (method) {
    case Arithmetic::kAverage:
      return {"weights"};
    case Arithmetic::kInterpolate:
      return {"weight"};
    case Arithmetic::kTask:
      return {"weights", "base", "scale"};
    case Arithmetic::kTies:
      return {"weights", "base", "scale", "density"};
    case Arithmetic::kDare:
      return {"weights", "base", "scale", "density", "seed"};
    case Arithmetic::kFisher:
      return {"weights", "fisher"};
  }
  return {};
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
      refuse_options(values, "--method " + name, options_of(method));
      output = output_of(values);
      models = open_weights(paths);
      if (models.size() < 2 && !from_base) throw ConfigError("it takes two models or more");
      merge.weights = read_weights_option(values, models.size(), method == Arithmetic::kTask);
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
      require_new(output, paths);
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

po::options_description weight_options() {
  po::options_description options("Options for safetensors files");
  options.add_options()("symmetry", po::value<std::string>(),
                        "what may be exchanged (of git-rebasin): POLICY.symmetry.json");
  options.add_options()("align-only", po::bool_switch(),
                        "write the aligned models, in the folder of -o, instead of their mean");
  options.add_options()("weights", po::value<std::string>(),
                        "W1,W2,...: how much each model counts (default: equally)");
  options.add_options()(
      "weight", po::value<Arguments>()->composing(),
      "T or PATTERN=T (of interpolate): share of the second model, by names of tensors; may be repeated");
  options.add_options()("base", po::value<std::string>(),
                        "the model that all come from (of task-arithmetic, ties, dare)");
  options.add_options()("scale", po::value<std::string>(), "of the sum of changes (default: 1)");
  options.add_options()("density", po::value<std::string>(),
                        "share of changes that is kept (default: ties 0.2, dare 0.1)");
  options.add_options()("fisher", po::value<Arguments>()->composing(), "a model's diagonal, once for each (of fisher)");
  options.add_options()("seed", po::value<std::string>(), "of what is drawn at random");
  return options;
}

void refuse_weight_options(const po::variables_map& values) {
  refuse_options(values, "models of this program's own", {});
}

std::vector<WeightFiles> open_weights(const std::vector<fs::path>& paths) {
  std::vector<WeightFiles> models;
  models.reserve(paths.size());
  for (const fs::path& path : paths) {
    const std::string ending = path.extension().string();
    if (ending == ".pt" || ending == ".pth" || ending == ".bin" || ending == ".ckpt") {
      throw ConfigError(cat(path.string(),
                            ": files of PyTorch's own are read by its package only: python -m fleet convert ",
                            path.string(), " -o ", fs::path(path).replace_extension(".safetensors").string()));
    }
    models.emplace_back(path);
  }
  return models;
}

int merge_weights(const Comm& world, const std::vector<fs::path>& paths, const po::variables_map& values) {
  set_threads(1);
  std::string method;
  world.together([&] {
    const std::string known =
        "average, interpolate, task-arithmetic, ties, dare and fisher; with --symmetry git-rebasin";
    if (!values.contains("method")) throw ConfigError("say how to merge: --method, of safetensors files " + known);
    method = values["method"].as<std::string>();
    const bool has_symmetry = values.contains("symmetry");
    const auto* const found = std::ranges::find(kArithmetics, method, &std::pair<std::string_view, Arithmetic>::first);
    if (method == "git-rebasin" || (method == "average" && has_symmetry) || found != kArithmetics.end()) return;
    for (const MergerEntry& entry : merger_table()) {
      if (entry.name != method) continue;
      throw ConfigError(cat("--method ", method,
                            " asks for the robots' data, which safetensors files do not tell of; there are ", known));
    }
    throw ConfigError(cat("--method ", method, ": there are ", known));
  });
  const auto* const found = std::ranges::find(kArithmetics, method, &std::pair<std::string_view, Arithmetic>::first);
  if (found == kArithmetics.end() || (method == "average" && values.contains("symmetry"))) {
    return merge_aligned(world, paths, values, method);
  }
  return merge_by_arithmetic(world, paths, values, method, found->second);
}

}  // namespace fleet
