#include "simulation/minari.hpp"

#include <boost/property_tree/json_parser.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5.hpp"

namespace fleet::simulation {
namespace {

namespace fs = std::filesystem;
namespace pt = boost::property_tree;

constexpr const char* kData = "data";
constexpr const char* kFile = "main_data.hdf5";
constexpr const char* kMetadata = "metadata.json";
constexpr const char* kVersion = "0.5.0";  // the first whose datasets look like this

std::optional<std::int64_t> read_number(const pt::ptree& metadata, const char* key, const fs::path& file) {
  const auto found = metadata.get_child_optional(key);
  if (!found) return std::nullopt;
  const auto number = found->get_value_optional<std::int64_t>();
  require(number && *number >= 0, file.string(), ": ", key, " is ", found->data(), "; expected a number of 0 or more");
  return *number;
}

/// A text as JSON has it.
std::string quoted(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20) {
      json += cat("\\u00", kDigits[code >> 4U], kDigits[code & 0xfU]);
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
  }
  return json + '"';
}

/// A space of real numbers, as Gymnasium's Box is written down.
std::string box(std::size_t size, const char* low, const char* high) {
  const auto repeated = [size](const char* number) {
    std::string list;
    for (std::size_t i = 0; i < size; ++i) list += cat(i > 0 ? ", " : "", number);
    return list;
  };
  return quoted(cat(R"({"type": "Box", "dtype": "float32", "shape": [)", size, R"(], "low": [)", repeated(low),
                    R"(], "high": [)", repeated(high), "]}"));
}

fs::path without_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

/// Whether the folder is empty, or a dataset that this program wrote.
bool may_be_replaced(const fs::path& folder) {
  const fs::path data = folder / kData;
  std::set<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) found.insert(entry.path());
  for (const fs::path& ours : {data, data / kFile, data / kMetadata}) found.erase(ours);
  if (!found.empty()) return false;
  return !fs::exists(data / kFile) || is_own_demonstrations(data / kFile);
}

}  // namespace

fs::path minari_file(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const fs::path& file : {path / kData / kFile, path / kFile}) {
    if (fs::exists(file)) return file;
  }
  throw Error(cat(path.string(), " is a folder without ", kData, "/", kFile,
                  "; expected a file of demonstrations, or a dataset of Minari in its format hdf5"));
}

MinariTotals read_minari_totals(const fs::path& file) {
  const fs::path metadata_file = file.parent_path() / kMetadata;
  if (file.filename() != kFile || !fs::exists(metadata_file)) return {};
  pt::ptree metadata;
  try {
    pt::read_json(metadata_file.string(), metadata);
  } catch (const pt::json_parser_error& error) {
    throw Error(cat(metadata_file.string(), " is not JSON, or cannot be read: ", error.message()));
  }
  return {.episodes = read_number(metadata, "total_episodes", metadata_file),
          .steps = read_number(metadata, "total_steps", metadata_file)};
}

bool names_minari_dataset(const fs::path& path) {
  return !path.has_filename() || fs::is_directory(path);
}

void prepare_minari_dataset(const fs::path& folder) {
  const std::string name = without_slash(folder).filename().string();
  if (!std::regex_match(name, std::regex("[A-Za-z0-9_-]+-v[0-9]+"))) {
    throw ConfigError(cat("--output ", folder.string(), ": a folder becomes a dataset of Minari, which is called ",
                          "NAME-v0, say reach-v0; a file is called NAME.h5"));
  }
  if (const std::string reason = why_unclear(folder); !reason.empty()) throw ConfigError(reason);
  if (fs::exists(without_slash(folder)) && !may_be_replaced(without_slash(folder))) {
    throw ConfigError(
        cat(folder.string(), " holds something else than demonstrations of this program; name another folder"));
  }
  std::error_code error;
  fs::create_directories(without_slash(folder) / kData, error);
  require(!error, "cannot create ", (without_slash(folder) / kData).string(), ": ", error.message());
  Hdf5Writer{without_slash(folder) / kData / kFile};
}

void write_minari_dataset(const fs::path& folder, const DemonstrationSet& set, const Sizes& sizes) {
  const fs::path data = without_slash(folder) / kData;
  write_demonstrations(data / kFile, set, sizes);
  std::size_t steps = 0;
  for (const Demonstration& episode : set.episodes) steps += episode.steps();
  std::ostringstream json;
  json << "{\"dataset_id\": " << quoted(without_slash(folder).filename().string()) << ",\n"
       << " \"minari_version\": " << quoted(kVersion) << ",\n"
       << " \"data_format\": \"hdf5\",\n"
       << " \"total_episodes\": " << set.episodes.size() << ",\n"
       << " \"total_steps\": " << steps << ",\n"
       << " \"observation_space\": " << box(sizes.observation, "-Infinity", "Infinity") << ",\n"
       << " \"action_space\": " << box(sizes.action, "-1.0", "1.0");
  for (const auto& [name, text] : set.provenance) {
    if (name != "dataset_id") json << ",\n " << quoted(name) << ": " << quoted(text);
  }
  json << "}\n";
  write_file_atomically(data / kMetadata, json.str());
}

void prepare_demonstrations(const fs::path& path) {
  if (names_minari_dataset(path)) {
    prepare_minari_dataset(path);
  } else {
    require_replaceable(path, kDemonstrationsFile);
    Hdf5Writer{path};
  }
}

void write_recording(const fs::path& path, const DemonstrationSet& set, const Sizes& sizes) {
  if (names_minari_dataset(path)) {
    write_minari_dataset(path, set, sizes);
  } else {
    write_demonstrations(path, set, sizes);
  }
}

}  // namespace fleet::simulation
