#include "command/foreign_models.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "comm/placement.hpp"
#include "version.hpp"

namespace fleet {

namespace fs = std::filesystem;

namespace {

std::string text_of(const TensorSpec& tensor) {
  std::string shape;
  for (const std::int64_t extent : tensor.shape) shape += cat(shape.empty() ? " " : " x ", extent);
  return cat(tensor.name, " (", shape.empty() ? "a number" : shape.substr(1), ')');
}

/// The name under which a model's files hold a tensor: its own, or that of a tied one.
std::string stored_name(const WeightFiles& model, const NetworkFile& network, const std::string& tensor) {
  if (model.find(tensor) != nullptr) return tensor;
  for (const auto& [alias, name] : network.aliases) {
    if (name == tensor && model.find(alias) != nullptr) return alias;
  }
  return "";
}

void require_of_network(const WeightFiles& model, const NetworkFile& network) {
  const ParamLayout& layout = *network.symmetry.layout();
  const auto check = [&](bool fits, const auto&... difference) {
    if (!fits)
      throw ConfigError(cat("the symmetry is of another network than ", model.path().string(), ": ", difference...));
  };
  std::map<std::string, bool> known;
  for (const auto& [alias, name] : network.aliases) known[alias] = true;
  for (const TensorSpec& tensor : layout.tensors()) {
    known[tensor.name] = true;
    const std::string stored = stored_name(model, network, tensor.name);
    check(!stored.empty(), text_of(tensor), " against no ", tensor.name);
    const StoredTensor& found = *model.find(stored);
    check(found.shape == tensor.shape && is_real(found.type), text_of(tensor), " against ", found.to_string());
  }
  for (const auto& [name, place] : model.places()) {
    check(known.contains(name) || !is_real(model.find(name)->type), "no ", name, " against ",
          model.find(name)->to_string());
  }
}

ParamVector read_model_weights(const WeightFiles& model, const NetworkFile& network) {
  ParamVector weights(network.symmetry.layout());
  for (std::size_t t = 0; t < weights.layout().tensors().size(); ++t) {
    const std::string stored = stored_name(model, network, weights.layout().tensors()[t].name);
    model.file_of(stored).read(*model.find(stored), weights.tensor(t));
    const bool finite = std::ranges::all_of(weights.tensor(t), [](float w) { return std::isfinite(w); });
    require(finite, model.path().string(), ": tensor ", stored, " holds weights that are not finite");
  }
  return weights;
}

/// A number that a file's metadata tell, if they do.
template <class Number>
Number told(const WeightFiles& model, const char* entry, Number otherwise) {
  const Metadata& metadata = model.files().front().metadata();
  const auto found = metadata.find(entry);
  if (found == metadata.end()) return otherwise;
  Number number{};
  const std::string& text = found->second;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  require(failure == std::errc() && end == text.data() + text.size() && !text.starts_with('-'), model.path().string(),
          ": its metadata say ", entry, " is ", text, "; expected a number, 0 or more");
  return number;
}

}  // namespace

bool is_own_weights(const fs::path& file) {
  try {
    return SafetensorsReader(file).metadata().contains(kMadeByEntry);
  } catch (const Error&) {
    return false;
  }
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

void require_room(const fs::path& target, const WeightFiles& like) {
  if (!like.is_folder()) return require_replaceable(target, kOwnWeights);
  if (const std::string reason = why_unclear(target); !reason.empty()) throw ConfigError(reason);
  std::error_code absent;
  if (!fs::exists(fs::symlink_status(target, absent))) return;
  if (fs::is_directory(target, absent) && fs::is_empty(target, absent)) return;
  throw ConfigError(
      cat(target.string(), " is there already, and is no empty folder; it is left as it is: choose another place"));
}

ForeignModels::ForeignModels(const std::vector<WeightFiles>& models, NetworkFile network, const Comm& comm)
    : models_(models), network_(std::move(network)) {
  const Placement placement{.robots = static_cast<int>(models.size()), .ranks = comm.size()};
  begin_ = placement.begin(comm.rank());
  comm.together([&] {
    for (const WeightFiles& model : models_) require_of_network(model, network_);
    for (int i = begin_; i < placement.end(comm.rank()); ++i) {
      weights_.push_back(read_model_weights(models_[static_cast<std::size_t>(i)], network_));
    }
  });
}

MergeInput ForeignModels::input(const std::vector<double>& weights) const {
  MergeInput input{.symmetry = &network_.symmetry, .maps = network_.maps};
  input.seed = told<std::uint64_t>(models_.front(), kSeedEntry, 0);
  input.round = told<int>(models_.front(), kRoundEntry, 0);
  input.participants.resize(models_.size());
  std::iota(input.participants.begin(), input.participants.end(), 0);
  for (std::size_t row = 0; row < weights_.size(); ++row) {
    const std::size_t model = static_cast<std::size_t>(begin_) + row;
    input.rows.push_back(
        {.robot = static_cast<int>(model),
         .weights = &weights_[row],
         .samples = weights.empty() ? told<double>(models_[model], kSamplesEntry, 1.0) : weights[model],
         .participates = true});
  }
  return input;
}

std::size_t ForeignModels::place_of(const std::string& tensor) const {
  const auto alias = network_.aliases.find(tensor);
  return network_.symmetry.layout()->index_of(alias == network_.aliases.end() ? tensor : alias->second);
}

std::vector<std::string> ForeignModels::write(const ParamVector& merged, const WeightFiles& like,
                                              const fs::path& target, const Comm& alone) const {
  std::vector<std::string> differing;
  WeightFilesWriter writer(like, target, {{kMadeByEntry, cat("fleet ", kVersion)}}, alone);
  std::vector<std::byte> bytes;
  std::vector<std::byte> other;
  for (const auto& [name, place] : like.places()) {
    const StoredTensor& stored = *like.find(name);
    bytes.resize(stored.bytes());
    if (is_real(stored.type)) {
      encode(stored.type, merged.tensor(place_of(name)), bytes);
      writer.write(place, 0, bytes);
      continue;
    }
    like.file_of(name).read(stored, 0, bytes);
    writer.write(place, 0, bytes);
    for (const WeightFiles& model : models_) {
      other.resize(model.find(name)->bytes());
      model.file_of(name).read(*model.find(name), 0, other);
      if (other != bytes && (differing.empty() || differing.back() != name)) differing.push_back(name);
    }
  }
  writer.commit();
  return differing;
}

}  // namespace fleet
