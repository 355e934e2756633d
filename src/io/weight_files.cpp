#include "io/weight_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>

#include "base/error.hpp"
#include "io/json.hpp"

namespace fleet {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kIndexEnding = ".safetensors.index.json";
constexpr std::string_view kEnding = ".safetensors";

std::string read_text(const fs::path& file) {
  constexpr std::uintmax_t kLargest = 100'000'000;
  std::error_code unknown;
  require(fs::is_regular_file(file, unknown), file.string(), ": cannot be read: expected a file");
  require(fs::file_size(file, unknown) <= kLargest, file.string(), ": larger than ", kLargest, " bytes");
  std::ifstream in(file, std::ios::binary);
  require(in.good(), file.string(), ": cannot be opened");
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Plain files of a folder whose names end so, in order.
std::vector<fs::path> files_ending(const fs::path& folder, std::string_view ending) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename().string().ends_with(ending)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

WeightFiles::WeightFiles(fs::path path) : path_(std::move(path)) {
  std::error_code unknown;
  if (path_.filename().string().ends_with(kIndexEnding)) {
    folder_ = path_.has_parent_path() ? path_.parent_path() : ".";
    read_index(path_);
  } else if (fs::is_directory(path_, unknown)) {
    folder_ = path_;
    open_folder();
  } else {
    files_.emplace_back(path_);
  }
  place_tensors();
}

void WeightFiles::open_folder() {
  const std::vector<fs::path> indices = files_ending(folder_, kIndexEnding);
  require(indices.size() < 2, folder_.string(),
          " holds several indices of weights; name one of them: ", indices.empty() ? "" : indices.front().string(),
          " ...");
  if (indices.size() == 1) {
    read_index(indices.front());
    return;
  }
  const fs::path usual = folder_ / "model.safetensors";
  if (fs::is_regular_file(usual)) {
    files_.emplace_back(usual);
    return;
  }
  const std::vector<fs::path> found = files_ending(folder_, kEnding);
  require(found.size() == 1, folder_.string(), " holds no model.safetensors, no index of one, and ", found.size(),
          " other safetensors files; name the file");
  files_.emplace_back(found.front());
}

void WeightFiles::read_index(const fs::path& index) {
  const std::string name = index.string();
  index_ = index.filename().string();
  const Json parsed = parse_json(read_text(index), name);
  require(parsed.is_object() && parsed.contains("weight_map") && parsed["weight_map"].is_object(), name,
          ": expected an object with \"weight_map\"");
  std::set<std::string> files;
  for (const auto& [tensor, file] : parsed["weight_map"].items()) {
    require(file.is_string(), name, ": tensor ", tensor, " must be in a file");
    const auto within = file.get<std::string>();
    require(!within.empty() && fs::path(within).filename() == within && within != "..", name, ": tensor ", tensor,
            " is said to be in ", within, "; expected the name of a file in the same folder");
    indexed_[tensor] = within;
    files.insert(within);
  }
  for (const std::string& file : files) files_.emplace_back(folder_ / file);
}

void WeightFiles::place_tensors() {
  std::set<fs::path> own{folder_ / index_};
  for (std::size_t f = 0; f < files_.size(); ++f) {
    const SafetensorsReader& file = files_[f];
    own.insert(file.path());
    for (std::size_t t = 0; t < file.tensors().size(); ++t) {
      const std::string& name = file.tensors()[t].name;
      const auto indexed = indexed_.find(name);
      require(index_.empty() || (indexed != indexed_.end() && folder_ / indexed->second == file.path()),
              file.path().string(), ": tensor ", name, " is not where ", (folder_ / index_).string(), " has it");
      places_[name] = {f, t};
    }
  }
  for (const auto& [tensor, file] : indexed_) {
    require(places_.contains(tensor), (folder_ / file).string(), ": tensor ", tensor, " is missing, which ",
            (folder_ / index_).string(), " lists");
  }
  if (!is_folder()) return;
  for (const fs::path& file : files_ending(folder_, "")) {
    if (!own.contains(file)) companions_.push_back(file);
  }
}

const StoredTensor* WeightFiles::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &files_[found->second.file].tensors()[found->second.tensor];
}

const SafetensorsReader& WeightFiles::file_of(std::string_view name) const {
  return files_[places_.find(name)->second.file];
}

void require_same_tensors(const WeightFiles& one, const WeightFiles& other) {
  const auto describe = [](const WeightFiles& files, const std::string& name) {
    const StoredTensor* tensor = files.find(name);
    return tensor == nullptr ? cat("no ", name) : tensor->to_string();
  };
  const auto complain = [&](const std::string& name) {
    throw Error(cat(one.path().string(), " and ", other.path().string(),
                    " are different networks: ", describe(one, name), " against ", describe(other, name)));
  };
  for (const auto& [name, place] : one.places()) {
    const StoredTensor* left = one.find(name);
    const StoredTensor* right = other.find(name);
    if (right == nullptr || left->shape != right->shape) complain(name);
    if (left->type != right->type && !(is_real(left->type) && is_real(right->type))) complain(name);
  }
  for (const auto& [name, place] : other.places()) {
    if (one.find(name) == nullptr) complain(name);
  }
}

/// One file as it is written: whole by the root, in parts by the others.
struct WeightFilesWriter::Part {
  std::unique_ptr<SafetensorsWriter> whole;  // on the root
  Descriptor opened;                         // elsewhere
  std::uint64_t data = 0;
};

WeightFilesWriter::WeightFilesWriter(const WeightFiles& like, fs::path target, const Metadata& metadata,
                                     const Comm& comm)
    : like_(like), target_(std::move(target)), comm_(comm), parts_(like.files().size()) {
  std::vector<std::string> paths(parts_.size());
  comm_.together([&] {
    if (!comm_.is_root()) return;
    if (like_.is_folder()) fs::create_directories(target_);
    for (std::size_t f = 0; f < parts_.size(); ++f) {
      const SafetensorsReader& file = like_.files()[f];
      Metadata all = file.metadata();
      std::erase_if(all, [](const auto& entry) { return entry.first.starts_with("fleet."); });  // of that model alone
      all.insert(metadata.begin(), metadata.end());
      const fs::path place = like_.is_folder() ? target_ / file.path().filename() : target_;
      parts_[f].whole = std::make_unique<SafetensorsWriter>(place, file.tensors(), all);
      parts_[f].data = parts_[f].whole->data();
      paths[f] = parts_[f].whole->path().string();
    }
  });
  for (std::size_t f = 0; f < parts_.size(); ++f) {
    comm_.broadcast(paths[f]);
    std::string data = std::to_string(parts_[f].data);
    comm_.broadcast(data);
    parts_[f].data = std::stoull(data);
  }
  comm_.together([&] {
    if (comm_.is_root()) return;
    for (std::size_t f = 0; f < parts_.size(); ++f) parts_[f].opened = open_own_file(paths[f], O_WRONLY);
  });
}

WeightFilesWriter::~WeightFilesWriter() = default;

void WeightFilesWriter::write(const WeightFiles::Place& place, std::uint64_t first, std::span<const std::byte> bytes) {
  const StoredTensor& tensor = like_.files()[place.file].tensors()[place.tensor];
  Part& part = parts_[place.file];
  if (part.whole) {
    part.whole->write(part.whole->tensors()[place.tensor], first, bytes);
    return;
  }
  write_at(part.opened, part.data + tensor.first + first, bytes, target_.string());
}

void WeightFilesWriter::commit() {
  comm_.together([&] {
    for (const Part& part : parts_) {
      errno = 0;
      require(part.whole || ::fsync(part.opened.number()) == 0, "cannot write ", target_.string(), system_reason());
    }
  });
  comm_.together([&] {
    if (!comm_.is_root()) return;
    for (Part& part : parts_) part.whole->commit();
    if (!like_.index().empty()) {
      write_file_atomically(target_ / like_.index(), read_text(like_.folder() / like_.index()));
    }
    for (const fs::path& companion : like_.companions()) {
      fs::copy_file(companion, target_ / companion.filename(), fs::copy_options::overwrite_existing);
    }
    sync_directory(like_.is_folder() ? target_ : target_.parent_path());
  });
}

}  // namespace fleet
