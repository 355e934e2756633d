#include "io/model_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "io/toml.hpp"

namespace fleet {
namespace {

using Texts = std::vector<std::string>;

constexpr std::int32_t kNoParent = -1;
constexpr const char* kCompanions = "companions";
constexpr const char* kData = "data";
constexpr std::array kTensorColumns = {ColumnSpec{"name", ColumnType::kText}};
constexpr std::array kGroupColumns = {ColumnSpec{"name", ColumnType::kText}, ColumnSpec{"size", ColumnType::kInteger},
                                      ColumnSpec{"linear", ColumnType::kInteger},
                                      ColumnSpec{"parent", ColumnType::kInteger},
                                      ColumnSpec{"block", ColumnType::kInteger}};
constexpr std::array kActionColumns = {
    ColumnSpec{"tensor", ColumnType::kText},   ColumnSpec{"axis", ColumnType::kInteger},
    ColumnSpec{"group", ColumnType::kInteger}, ColumnSpec{"outer", ColumnType::kInteger},
    ColumnSpec{"inner", ColumnType::kInteger}, ColumnSpec{"offset", ColumnType::kInteger},
    ColumnSpec{"dual", ColumnType::kInteger}};

Table groups_table(const SymmetrySpec& symmetry) {
  using Row = const SymmetryGroup&;
  const auto parent = [](Row group) { return group.parent ? static_cast<std::int32_t>(*group.parent) : kNoParent; };
  return tabulate(symmetry.groups(), ColumnOf{"name", &SymmetryGroup::name}, ColumnOf{"size", &SymmetryGroup::size},
                  ColumnOf{"linear", [](Row group) { return group.kind == GroupKind::kGeneralLinear; }},
                  ColumnOf{"signed", [](Row group) { return group.kind == GroupKind::kSigned; }},
                  ColumnOf{"parent", parent}, ColumnOf{"block", &SymmetryGroup::block});
}

Table actions_table(const SymmetrySpec& symmetry) {
  using Row = const SymmetryAction&;
  const std::vector<TensorSpec>& tensors = symmetry.layout()->tensors();
  return tabulate(symmetry.actions(), ColumnOf{"tensor", [&](Row action) { return tensors[action.tensor].name; }},
                  ColumnOf{"axis", [](Row action) { return static_cast<int>(action.axis); }},
                  ColumnOf{"group", [](Row action) { return static_cast<int>(action.group); }},
                  ColumnOf{"outer", &SymmetryAction::outer}, ColumnOf{"inner", &SymmetryAction::inner},
                  ColumnOf{"offset", &SymmetryAction::offset}, ColumnOf{"dual", &SymmetryAction::dual});
}

Companions read_companions(const Hdf5Reader& file) {
  Companions companions;
  if (!file.has(kCompanions)) return companions;
  for (const std::string& name : file.names_in(kCompanions)) {
    std::vector<std::size_t> shape;
    companions[name] = file.read_floats(kCompanions + ("/" + name), shape);
  }
  return companions;
}

/// The weights as they lie in the file; `values` in the order of the layout.
std::shared_ptr<const ParamLayout> read_tensors(const Hdf5Reader& file, const std::string& name,
                                                std::vector<float>& values) {
  auto layout = std::make_shared<ParamLayout>();
  const Table tensors = file.read_table("tensors", kTensorColumns);
  for (const std::string& tensor : tensors.column<std::string>("name")) {
    require(file.has("weights/" + tensor), name, ": tensor ", tensor, " is listed, but its weights are not there");
    std::vector<std::size_t> shape;
    const std::vector<float> part = file.read_floats("weights/" + tensor, shape);
    require(std::all_of(part.begin(), part.end(), [](float w) { return std::isfinite(w); }), name, ": tensor ", tensor,
            " holds weights that are not finite");
    layout->add(tensor, std::vector<std::int64_t>(shape.begin(), shape.end()));
    values.insert(values.end(), part.begin(), part.end());
  }
  return layout;
}

SymmetrySpec read_symmetry(const Hdf5Reader& file, const std::shared_ptr<const ParamLayout>& layout) {
  Table groups = file.read_table("groups", kGroupColumns);
  const Table actions = file.read_table("actions", kActionColumns);
  const auto integer = [](const Table& table, const char* column, std::size_t row) {
    return table.column<std::int32_t>(column)[row];
  };
  const bool tells_signed = groups.has("signed");  // not before there were any
  if (tells_signed) groups.convert({"signed", ColumnType::kInteger});
  std::vector<SymmetryGroup> made;
  for (std::size_t g = 0; g < groups.rows(); ++g) {
    SymmetryGroup& group = made.emplace_back();
    group.name = groups.column<std::string>("name")[g];
    group.size = integer(groups, "size", g);
    if (integer(groups, "linear", g) != 0) group.kind = GroupKind::kGeneralLinear;
    if (tells_signed && integer(groups, "signed", g) != 0) group.kind = GroupKind::kSigned;
    const std::int32_t parent = integer(groups, "parent", g);
    if (parent != kNoParent) group.parent = static_cast<std::size_t>(parent);
    group.block = integer(groups, "block", g);
  }
  std::vector<SymmetryAction> acting;
  for (std::size_t a = 0; a < actions.rows(); ++a) {
    acting.push_back({.tensor = layout->index_of(actions.column<std::string>("tensor")[a]),
                      .axis = static_cast<std::size_t>(integer(actions, "axis", a)),
                      .group = static_cast<std::size_t>(integer(actions, "group", a)),
                      .outer = integer(actions, "outer", a),
                      .inner = integer(actions, "inner", a),
                      .offset = integer(actions, "offset", a),
                      .dual = integer(actions, "dual", a) != 0});
  }
  return {layout, std::move(made), std::move(acting)};
}

std::string text_of(const TensorSpec& tensor) {
  std::string shape;
  for (const std::int64_t extent : tensor.shape) shape += (shape.empty() ? "" : " x ") + std::to_string(extent);
  return cat(tensor.name, " (", shape, ')');
}

std::string text_of(const SymmetrySpec& symmetry, std::size_t a) {
  const SymmetryAction& action = symmetry.actions()[a];
  const SymmetryGroup& group = symmetry.groups()[action.group];
  const std::string within =
      group.parent ? cat(" within block ", group.block, " of ", symmetry.groups()[*group.parent].name) : "";
  return cat("group ", group.name, " of ", group.size, within, " on axis ", action.axis, " of ",
             symmetry.layout()->tensors()[action.tensor].name, " (outer ", action.outer, ", inner ", action.inner,
             ", offset ", action.offset, action.dual ? ", dual)" : ")");
}

/// The first place where two lists of texts differ, as "left against right"; empty if they do not.
std::string first_difference(const Texts& left, const Texts& right) {
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const std::string a = i < left.size() ? left[i] : "nothing";
    const std::string b = i < right.size() ? right[i] : "nothing";
    if (a != b) return cat(a, " against ", b);
  }
  return "";
}

Texts tensor_texts(const ParamLayout& layout) {
  Texts texts;
  for (const TensorSpec& tensor : layout.tensors()) texts.push_back(text_of(tensor));
  return texts;
}

Texts action_texts(const SymmetrySpec& symmetry) {
  Texts texts;
  for (std::size_t a = 0; a < symmetry.actions().size(); ++a) texts.push_back(text_of(symmetry, a));
  return texts;
}

}  // namespace

void write_model(const std::filesystem::path& path, const SavedModel& model, const Provenance& provenance) {
  std::error_code ignored;  // a directory that is not there is told by the writer
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  Hdf5Writer file(path);
  file.write_attribute("/", "model_version", kModelVersion);
  file.write_attribute("/", "settings", to_text(model.settings));
  if (!model.data.empty()) file.write_attribute("/", kData, model.data);
  file.write_attribute("/", "robot", model.robot);
  file.write_attribute("/", "round", model.round);
  file.write_attribute("/", "epoch", model.epoch);
  file.write_attribute("/", "samples", model.samples);
  for (const auto& [key, text] : provenance) file.write_attribute("provenance", key, text);
  const std::vector<TensorSpec>& tensors = model.weights.layout().tensors();
  file.write_table("tensors", tabulate(tensors, ColumnOf{"name", &TensorSpec::name}));
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const std::vector<std::int64_t>& shape = tensors[t].shape;
    file.write_array("weights/" + tensors[t].name, model.weights.tensor(t),
                     std::vector<std::size_t>(shape.begin(), shape.end()));
  }
  file.write_table("groups", groups_table(model.symmetry));
  file.write_table("actions", actions_table(model.symmetry));
  for (const auto& [name, values] : model.companions) {
    file.write_array(kCompanions + ("/" + name), values, std::vector<std::size_t>{values.size()});
  }
  file.commit();
}

bool is_model_file(const std::filesystem::path& file) {
  try {
    const Hdf5Reader reader(file, Hdf5Reader::Origin::kAnywhere);
    return reader.has_attribute("/", "model_version") && reader.has("tensors") && reader.has("groups") &&
           reader.has("actions");
  } catch (const Error&) {
    return false;
  }
}

SavedModel read_model(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Hdf5Reader file(path);
  require(file.has("tensors") && file.has("groups") && file.has("actions"), name,
          " is no saved model; a sweep writes them with --set run.save_models='\"all\"'");
  const std::int64_t version = file.read_integer_attribute("/", "model_version");
  require(version == kModelVersion, name, " is a model of version ", version, "; this program reads ", kModelVersion);
  std::vector<float> values;
  const std::shared_ptr<const ParamLayout> layout = read_tensors(file, name, values);
  const auto number = [&](const char* key, int least) {
    const std::int64_t value = file.read_integer_attribute("/", key);
    require(value >= least && value <= std::numeric_limits<int>::max(), key, " is ", value, "; expected ", least,
            " to ", std::numeric_limits<int>::max());
    return static_cast<int>(value);
  };
  try {
    SavedModel model{.settings = parse_toml(file.read_text_attribute("/", "settings"), name),
                     .data = file.has_attribute("/", kData) ? file.read_text_attribute("/", kData) : "",
                     .robot = number("robot", kMergedPolicy),
                     .round = number("round", 0),
                     .epoch = number("epoch", 0),
                     .samples = file.read_integer_attribute("/", "samples"),
                     .symmetry = read_symmetry(file, layout),
                     .weights = ParamVector(layout)};
    require(model.samples >= 0, "samples is ", model.samples, "; expected 0 or more");
    std::copy(values.begin(), values.end(), model.weights.flat().begin());
    model.companions = read_companions(file);
    return model;
  } catch (const ConfigError&) {
    throw;  // names the file
  } catch (const Error& error) {
    throw Error(cat(name, ": ", error.what()));
  }
}

void require_same_network(const std::filesystem::path& path, const SavedModel& model, const std::string& source,
                          const SymmetrySpec& symmetry) {
  const std::string tensors = first_difference(tensor_texts(model.weights.layout()), tensor_texts(*symmetry.layout()));
  require(tensors.empty(), path.string(), " and ", source, " are different networks: ", tensors);
  const std::string actions = first_difference(action_texts(model.symmetry), action_texts(symmetry));
  require(actions.empty(), path.string(), " and ", source, " have different symmetries: ", actions);
}

void require_same_network(const std::filesystem::path& path, const SavedModel& model,
                          const std::filesystem::path& other_path, const SavedModel& other) {
  require_same_network(path, model, other_path.string(), other.symmetry);
  const std::string difference = first_difference(model.companions, other.companions);
  require(difference.empty(), path.string(), " and ", other_path.string(),
          " prepare their inputs differently: ", difference);
}

std::string first_difference(const Companions& one, const Companions& other) {
  for (const Companions* all : {&one, &other}) {
    for (const auto& [name, values] : *all) {
      if (!one.contains(name) || !other.contains(name) || one.at(name) != other.at(name)) return name + " differs";
    }
  }
  return "";
}

}  // namespace fleet
