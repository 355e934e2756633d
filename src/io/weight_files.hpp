// A model's weights as PyTorch's world keeps them: one safetensors file, or a folder, in which they may be spread over
// several files by an index (model.safetensors.index.json), beside configurations of the model.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "comm/comm.hpp"
#include "io/safetensors.hpp"

namespace fleet {

class WeightFiles {
 public:
  /// `path` is a safetensors file, an index, or a folder that holds either. Error naming what is wrong with it.
  explicit WeightFiles(std::filesystem::path path);

  struct Place {
    std::size_t file = 0;    ///< of files()
    std::size_t tensor = 0;  ///< of its tensors()
  };
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::vector<SafetensorsReader>& files() const { return files_; }
  [[nodiscard]] const std::map<std::string, Place, std::less<>>& places() const { return places_; }
  /// nullptr if there is no tensor of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  /// The file that holds a tensor of this name, which is there.
  [[nodiscard]] const SafetensorsReader& file_of(std::string_view name) const;
  /// Whether it is a folder, or an index in one.
  [[nodiscard]] bool is_folder() const { return !folder_.empty(); }
  /// Of a folder: what lies in it besides weights and their index, plain files only, by name.
  [[nodiscard]] const std::vector<std::filesystem::path>& companions() const { return companions_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// The name of the index, if there is one.
  [[nodiscard]] const std::string& index() const { return index_; }

 private:
  void open_folder();
  void read_index(const std::filesystem::path& index);
  void place_tensors();

  std::filesystem::path path_;
  std::filesystem::path folder_;
  std::string index_;
  std::map<std::string, std::string> indexed_;  ///< of the index: tensor -> file
  std::vector<SafetensorsReader> files_;
  std::map<std::string, Place, std::less<>> places_;
  std::vector<std::filesystem::path> companions_;
};

/// Error naming both models and both tensors, unless all have tensors of the same names and shapes, of types that go
/// together: real numbers with real numbers, others with their own.
void require_same_tensors(const WeightFiles& one, const WeightFiles& other);

/// Weights with the files, names and types of `like`, written by every rank in parts: complete, or not at all.
class WeightFilesWriter {
 public:
  /// Collective. `target` is a file where `like` is one, else a folder. Error if they cannot be created.
  WeightFilesWriter(const WeightFiles& like, std::filesystem::path target, const Metadata& metadata, const Comm& comm);
  ~WeightFilesWriter();

  void write(const WeightFiles::Place& place, std::uint64_t first, std::span<const std::byte> bytes);
  /// Collective: puts all files in their place, with the index and the companions of `like`.
  void commit();

 private:
  struct Part;
  const WeightFiles& like_;
  std::filesystem::path target_;
  const Comm& comm_;
  std::vector<Part> parts_;
};

}  // namespace fleet
