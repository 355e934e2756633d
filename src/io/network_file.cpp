#include "io/network_file.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "io/json.hpp"

namespace fleet {
namespace {

constexpr const char* kFormat = "fleet-symmetry";
constexpr int kVersion = 1;
constexpr std::uintmax_t kLargestFile = 100'000'000;
constexpr std::array<std::pair<std::string_view, GroupKind>, 3> kKinds{{{"permutation", GroupKind::kPermutation},
                                                                        {"signed", GroupKind::kSigned},
                                                                        {"general-linear", GroupKind::kGeneralLinear}}};

/// An object of the file, with a name for what is wrong with it. Keys that nobody has asked for are refused at its end.
class Entry {
 public:
  Entry(const Json& json, std::string what) : json_(json), what_(std::move(what)) {
    require(json_.is_object(), what_, ": expected an object {...}");
  }

  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] bool has(const char* key) const { return json_.contains(key); }

  const Json& at(const char* key) {
    known_.insert(key);
    const auto found = json_.find(key);
    require(found != json_.end(), what_, ": \"", key, "\" is missing");
    return *found;
  }
  std::string text(const char* key) {
    const Json& value = at(key);
    require(value.is_string(), what_, ": \"", key, "\" must be a text");
    return value.get<std::string>();
  }
  int integer(const char* key, int absent) {
    if (!has(key)) return absent;
    const Json& value = at(key);
    const bool fits = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<int>::max());
    require(fits, what_, ": \"", key, "\" must be a whole number, 0 to ", std::numeric_limits<int>::max());
    return value.get<int>();
  }
  bool flag(const char* key) {
    if (!has(key)) return false;
    const Json& value = at(key);
    require(value.is_boolean(), what_, ": \"", key, "\" must be true or false");
    return value.get<bool>();
  }
  /// Empty if it is absent.
  const Json& list(const char* key) {
    static const Json nothing = Json::array();
    if (!has(key)) return nothing;
    const Json& value = at(key);
    require(value.is_array(), what_, ": \"", key, "\" must be a list");
    return value;
  }
  void refuse_others() const {
    for (const auto& [key, value] : json_.items()) {
      require(known_.contains(key), what_, ": \"", key, "\" is not known");
    }
  }

 private:
  const Json& json_;
  std::string what_;
  std::set<std::string> known_;
};

std::shared_ptr<const ParamLayout> read_layout(Entry& file, const std::string& name) {
  auto layout = std::make_shared<ParamLayout>();
  for (const Json& json : file.list("tensors")) {
    Entry entry(json, cat(name, ": tensor ", layout->tensors().size()));
    const std::string tensor = entry.text("name");
    std::vector<std::int64_t> shape;
    double elements = 1;
    for (const Json& extent : entry.list("shape")) {
      require(extent.is_number_unsigned() && extent.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max(),
              name, ": tensor ", tensor, ": extents of a shape are whole numbers, 1 to ",
              std::numeric_limits<std::int32_t>::max());
      shape.push_back(extent.get<std::int64_t>());
      elements *= static_cast<double>(shape.back());
    }
    require(static_cast<double>(layout->size()) + elements < 1e15, name, ": tensor ", tensor, " is too large");
    entry.refuse_others();
    layout->add(tensor, std::move(shape));
  }
  return layout;
}

GroupKind read_kind(Entry& entry) {
  if (!entry.has("kind")) return GroupKind::kPermutation;
  const std::string kind = entry.text("kind");
  const auto* const found = std::ranges::find(kKinds, kind, &std::pair<std::string_view, GroupKind>::first);
  require(found != kKinds.end(), entry.what(), ": kind ", kind, "; there are permutation, signed and general-linear");
  return found->second;
}

using Places = std::map<std::string, std::size_t>;

std::size_t place_of_name(const Places& places, const std::string& name, const Entry& entry, const char* what) {
  const auto found = places.find(name);
  require(found != places.end(), entry.what(), " names ", what, ' ', name, ", which is not there");
  return found->second;
}

std::vector<SymmetryGroup> read_groups(Entry& file, const std::string& name, Places& places) {
  std::vector<SymmetryGroup> groups;
  const Json& list = file.list("groups");
  for (std::size_t g = 0; g < list.size(); ++g) {
    const std::string group = Entry(list[g], cat(name, ": group ", g)).text("name");
    require(places.emplace(group, g).second, name, ": two groups are called ", group);
  }
  for (std::size_t g = 0; g < list.size(); ++g) {
    Entry entry(list[g], cat(name, ": group ", g));
    SymmetryGroup group{.name = entry.text("name"), .size = entry.integer("size", 0), .kind = read_kind(entry)};
    if (entry.has("parent")) group.parent = place_of_name(places, entry.text("parent"), entry, "group");
    group.block = entry.integer("block", 0);
    entry.refuse_others();
    groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<SymmetryAction> read_actions(Entry& file, const std::string& name, const Places& tensors,
                                         const Places& groups) {
  std::vector<SymmetryAction> actions;
  for (const Json& json : file.list("actions")) {
    Entry entry(json, cat(name, ": action ", actions.size()));
    actions.push_back({.tensor = place_of_name(tensors, entry.text("tensor"), entry, "tensor"),
                       .axis = static_cast<std::size_t>(entry.integer("axis", 0)),
                       .group = place_of_name(groups, entry.text("group"), entry, "group"),
                       .outer = entry.integer("outer", 1),
                       .inner = entry.integer("inner", 1),
                       .offset = entry.integer("offset", 0),
                       .dual = entry.flag("dual")});
    entry.refuse_others();
  }
  return actions;
}

std::vector<AffineMap> read_maps(Entry& file, const std::string& name, const Places& tensors) {
  std::vector<AffineMap> maps;
  for (const Json& json : file.list("maps")) {
    Entry entry(json, cat(name, ": map ", maps.size()));
    const auto place = [&](const std::string& tensor) { return place_of_name(tensors, tensor, entry, "tensor"); };
    AffineMap map{.name = entry.text("name")};
    for (const Json& weight : entry.list("weights")) {
      require(weight.is_string(), entry.what(), ": \"weights\" must be names of tensors");
      map.weights.push_back(place(weight.get<std::string>()));
    }
    require(!map.weights.empty(), entry.what(), ": \"weights\" is empty or missing");
    if (entry.has("bias")) map.bias = place(entry.text("bias"));
    if (entry.has("norm")) {
      Entry norm(entry.at("norm"), entry.what() + ": norm");
      map.norm = BatchNorm{.scale = place(norm.text("scale")),
                           .shift = place(norm.text("shift")),
                           .mean = place(norm.text("mean")),
                           .variance = place(norm.text("variance"))};
      norm.refuse_others();
    }
    map.sees_data = entry.flag("sees_data");
    map.recurrent = entry.flag("recurrent");
    entry.refuse_others();
    maps.push_back(std::move(map));
  }
  return maps;
}

std::map<std::string, std::string> read_aliases(Entry& file, const std::string& name, const Places& tensors) {
  std::map<std::string, std::string> aliases;
  if (!file.has("aliases")) return aliases;
  Entry entry(file.at("aliases"), cat(name, ": aliases"));
  for (const auto& [alias, tensor] : file.at("aliases").items()) {
    require(tensor.is_string(), entry.what(), ": ", alias, " must be the name of a tensor");
    require(!tensors.contains(alias), entry.what(), ": ", alias, " is a tensor of its own");
    (void)place_of_name(tensors, tensor.get<std::string>(), entry, "tensor");
    aliases[alias] = tensor.get<std::string>();
  }
  return aliases;
}

}  // namespace

NetworkFile parse_network(std::string_view json, const std::string& name) {
  const Json parsed = parse_json(json, name);
  Entry file(parsed, name);
  require(file.has("format") && file.text("format") == kFormat, name, ": expected \"format\": \"", kFormat, '"');
  const int version = file.integer("version", 0);
  require(version == kVersion, name, ": version ", version, "; this program reads ", kVersion);
  try {
    const std::shared_ptr<const ParamLayout> layout = read_layout(file, name);
    Places tensors;
    for (std::size_t t = 0; t < layout->tensors().size(); ++t) tensors[layout->tensors()[t].name] = t;
    Places groups;
    std::vector<SymmetryGroup> made = read_groups(file, name, groups);
    std::vector<SymmetryAction> acting = read_actions(file, name, tensors, groups);
    std::vector<AffineMap> maps = read_maps(file, name, tensors);
    std::map<std::string, std::string> aliases = read_aliases(file, name, tensors);
    file.refuse_others();
    return {.symmetry = SymmetrySpec(layout, std::move(made), std::move(acting)),
            .maps = std::move(maps),
            .aliases = std::move(aliases)};
  } catch (const Error& error) {
    const std::string message = error.what();
    throw Error(message.starts_with(name) ? message : cat(name, ": ", message));
  }
}

NetworkFile read_network(const std::filesystem::path& path) {
  std::error_code unknown;
  require(std::filesystem::is_regular_file(path, unknown), path.string(), ": cannot be read: expected a file");
  require(std::filesystem::file_size(path, unknown) <= kLargestFile, path.string(), ": larger than ", kLargestFile,
          " bytes, which no description of a network is");
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  require(in.good() || in.eof(), path.string(), ": cannot be read");
  return parse_network(text, path.string());
}

bool is_network_file(const std::filesystem::path& path) {
  try {
    (void)read_network(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string network_json(const NetworkFile& network) {
  using Ordered = nlohmann::ordered_json;
  const ParamLayout& layout = *network.symmetry.layout();
  const std::vector<SymmetryGroup>& groups = network.symmetry.groups();
  const auto name = [&](std::size_t tensor) { return layout.tensors()[tensor].name; };
  Ordered file{{"format", kFormat}, {"version", kVersion}};
  file["tensors"] = Ordered::array();
  for (const TensorSpec& tensor : layout.tensors()) {
    file["tensors"].push_back(Ordered{{"name", tensor.name}, {"shape", tensor.shape}});
  }
  file["groups"] = Ordered::array();
  for (const SymmetryGroup& group : groups) {
    Ordered entry{{"name", group.name}, {"size", group.size}};
    if (group.kind != GroupKind::kPermutation) {
      entry["kind"] = std::ranges::find(kKinds, group.kind, &std::pair<std::string_view, GroupKind>::second)->first;
    }
    if (group.parent) {
      entry["parent"] = groups[*group.parent].name;
      if (group.block != 0) entry["block"] = group.block;
    }
    file["groups"].push_back(std::move(entry));
  }
  file["actions"] = Ordered::array();
  for (const SymmetryAction& action : network.symmetry.actions()) {
    Ordered entry{{"tensor", name(action.tensor)}, {"axis", action.axis}, {"group", groups[action.group].name}};
    if (action.outer != 1) entry["outer"] = action.outer;
    if (action.inner != 1) entry["inner"] = action.inner;
    if (action.offset != 0) entry["offset"] = action.offset;
    if (action.dual) entry["dual"] = true;
    file["actions"].push_back(std::move(entry));
  }
  for (const AffineMap& map : network.maps) {
    Ordered entry{{"name", map.name}, {"weights", Ordered::array()}};
    for (const std::size_t weight : map.weights) entry["weights"].push_back(name(weight));
    if (map.bias) entry["bias"] = name(*map.bias);
    if (map.norm) {
      entry["norm"] = {{"scale", name(map.norm->scale)},
                       {"shift", name(map.norm->shift)},
                       {"mean", name(map.norm->mean)},
                       {"variance", name(map.norm->variance)}};
    }
    if (map.sees_data) entry["sees_data"] = true;
    if (map.recurrent) entry["recurrent"] = true;
    file["maps"].push_back(std::move(entry));
  }
  if (!network.aliases.empty()) file["aliases"] = network.aliases;
  return file.dump(1) + "\n";
}

}  // namespace fleet
