// Files of named tensors in the safetensors format: 8 bytes that count those of a header of JSON, the header, the data.
//
// Hides the header. A file is read only where it is asked to be: a tensor, or a part of one, at a time. Called by what
// merges checkpoints of PyTorch's world.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.hpp"
#include "io/descriptor.hpp"
#include "io/number_type.hpp"

namespace fleet {

/// A tensor as a file describes it.
struct StoredTensor {
  std::string name;
  NumberType type = NumberType::kF32;
  std::vector<std::int64_t> shape;  ///< row-major; none for a single number
  std::uint64_t first = 0;          ///< of its bytes, among those of the data

  [[nodiscard]] std::uint64_t elements() const;
  [[nodiscard]] std::uint64_t bytes() const { return elements() * bytes_of(type); }
  /// "layers.0.weight (F32 128 x 784)"
  [[nodiscard]] std::string to_string() const;
};

/// What a header tells besides tensors.
using Metadata = std::map<std::string, std::string>;

class SafetensorsReader {
 public:
  /// Error naming the file if it is none: a header that is too long or no JSON, a name that is there twice, a type that
  /// is not known, shapes that do not fit their bytes, bytes that overlap, leave a gap or lie beyond the file's end.
  explicit SafetensorsReader(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// In the order of their bytes.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// nullptr if there is none of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  [[nodiscard]] const Metadata& metadata() const { return metadata_; }

  /// Fills `bytes` from byte `first` of the tensor on. Error if the file has become shorter.
  void read(const StoredTensor& tensor, std::uint64_t first, std::span<std::byte> bytes) const;
  /// All numbers of a tensor whose type is_real().
  void read(const StoredTensor& tensor, std::span<float> numbers) const;
  /// Tells the system that these bytes will be read soon, or are not needed any more.
  void expect(const StoredTensor& tensor, std::uint64_t first, std::uint64_t bytes) const;
  void forget(const StoredTensor& tensor, std::uint64_t first, std::uint64_t bytes) const;

 private:
  void read_header(std::string_view header, std::uint64_t data);

  std::filesystem::path path_;
  Descriptor file_;
  std::uint64_t data_ = 0;  ///< where the data begin
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> places_;
  Metadata metadata_;
};

/// Whether `path` begins as a safetensors file does.
[[nodiscard]] bool is_safetensors(const std::filesystem::path& path);

/// The beginning of a file with these tensors: lays their bytes out one after another (StoredTensor::first).
[[nodiscard]] std::string safetensors_header(std::vector<StoredTensor>& tensors, const Metadata& metadata);

/// Writes a file of the safetensors format: complete, or not at all. Other ranks write their part of the data by
/// path() and data().
class SafetensorsWriter {
 public:
  /// The file has its whole size at once. Error if it cannot be created, or the disk has no room for it.
  SafetensorsWriter(const std::filesystem::path& target, std::vector<StoredTensor> tensors, const Metadata& metadata);

  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// The temporary file, until commit().
  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }
  /// Where its data begin.
  [[nodiscard]] std::uint64_t data() const { return data_; }

  /// Writes `bytes` of a tensor, from its byte `first` on.
  void write(const StoredTensor& tensor, std::uint64_t first, std::span<const std::byte> bytes);
  /// All numbers of a tensor whose type is_real().
  void write(const StoredTensor& tensor, std::span<const float> numbers);
  void commit();

 private:
  std::vector<StoredTensor> tensors_;
  TemporaryFile file_;
  std::uint64_t data_ = 0;
};

}  // namespace fleet
