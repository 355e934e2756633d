#include "io/stored_weights.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "io/results.hpp"
#include "io/toml.hpp"

namespace fleet {
namespace {

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += cat(text.empty() ? "" : " x ", extent);
  return text;
}

/// The group of every cell that has weights, by the cell's id.
std::map<std::string, std::string> find_groups(const Hdf5Reader& reader) {
  const Table cells = read_cells(reader);
  const auto& ids = cells.column<std::string>("id");
  const auto& indices = cells.column<std::int32_t>("cell");
  std::map<std::string, std::string> groups;
  for (std::size_t row = 0; row < ids.size(); ++row) {
    const std::string group = cat("weights/", indices[row]);
    if (reader.has(group)) groups.emplace(ids[row], group);
  }
  return groups;
}

/// The member of `groups` that `id` names.
const std::pair<const std::string, std::string>& choose(const std::map<std::string, std::string>& groups,
                                                        const std::string& id, const std::string& file) {
  require(!groups.empty(), file,
          ": no cell in it has merged weights; they are kept with run.save_weights = true, by methods that merge");
  std::string known;
  for (const auto& [cell, group] : groups) known += cat(known.empty() ? "" : ", ", cell);
  if (id.empty()) {
    require(groups.size() == 1, file, ": several cells have weights, name one: ", known);
    return *groups.begin();
  }
  const auto found = groups.find(id);
  require(found != groups.end(), file, ": there are no weights of a cell ", id, "; there are of ", known);
  return *found;
}

}  // namespace

ParamVector StoredWeights::arrange(std::shared_ptr<const ParamLayout> layout) const {
  ParamVector weights(std::move(layout));
  const std::vector<TensorSpec>& wanted = weights.layout().tensors();
  for (std::size_t t = 0; t < wanted.size(); ++t) {
    const auto found = tensors.find(wanted[t].name);
    require(found != tensors.end(), name, ": its weights lack ", wanted[t].name);
    const Tensor& tensor = found->second;
    require(tensor.shape == wanted[t].shape, name, ": ", wanted[t].name, " is ", text_of(tensor.shape),
            "; its network has ", text_of(wanted[t].shape));
    std::copy(tensor.values.begin(), tensor.values.end(), weights.tensor(t).begin());
  }
  return weights;
}

StoredWeights read_weights(const std::filesystem::path& file, const std::string& id) {
  const Hdf5Reader reader(file);
  require(reader.has("cells"), file.string(), " holds no results: it has no table of cells");
  const std::map<std::string, std::string> groups = find_groups(reader);
  const auto [cell, group] = choose(groups, id, file.string());
  StoredWeights stored{.name = cat("cell ", cell, " of ", file.string()), .settings = {}, .tensors = {}};
  require(reader.has_attribute(group, "settings"), stored.name,
          ": an earlier version wrote its weights, without the settings that its network is made from");
  stored.settings = parse_toml(reader.read_text_attribute(group, "settings"), stored.name);
  for (const std::string& tensor : reader.names_in(group)) {
    std::vector<std::size_t> shape;
    std::vector<float> values = reader.read_floats(cat(group, '/', tensor), shape);
    require(std::ranges::all_of(values, [](float w) { return std::isfinite(w); }), stored.name, ": ", tensor,
            " holds weights that are not finite");
    stored.tensors.emplace(tensor, StoredWeights::Tensor{{shape.begin(), shape.end()}, std::move(values)});
  }
  return stored;
}

}  // namespace fleet
