#include "io/safetensors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "io/json.hpp"

namespace fleet {
namespace {

constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";

Descriptor open_to_read(const std::filesystem::path& path) {
  errno = 0;
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  require(file.number() >= 0, path.string(), ": cannot be opened", system_reason());
  struct stat seen {};
  require(::fstat(file.number(), &seen) == 0 && S_ISREG(seen.st_mode), path.string(),
          ": cannot be read: it is a folder, a pipe or a device; expected a file");
  return file;
}

/// The number of bytes read: fewer than asked for at the file's end.
std::size_t read_at(const Descriptor& file, const std::string& name, std::uint64_t place, std::span<std::byte> bytes) {
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    errno = 0;
    const ssize_t got =
        ::pread(file.number(), &bytes[filled], bytes.size() - filled, static_cast<off_t>(place + filled));
    if (got < 0 && errno == EINTR) continue;
    require(got >= 0, name, ": cannot be read", system_reason());
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

std::uint64_t count_of(const Json& number, const std::string& what) {
  require(number.is_number_unsigned(), what, " is ", number.dump(-1, ' ', true, Json::error_handler_t::replace),
          "; expected a whole number, 0 or more");
  return number.get<std::uint64_t>();
}

/// Product of the extents and the size of one number; Error if it is beyond what 63 bits hold.
std::uint64_t bytes_of_shape(const StoredTensor& tensor, const std::string& name) {
  std::uint64_t bytes = bytes_of(tensor.type);
  for (const std::int64_t extent : tensor.shape) {
    const auto factor = static_cast<std::uint64_t>(extent);
    require(factor == 0 || bytes <= std::numeric_limits<std::int64_t>::max() / factor, name, ": tensor ", tensor.name,
            " is larger than any file");
    bytes *= factor;
  }
  return bytes;
}

/// What an entry of the header says, its bytes aside.
StoredTensor read_entry(const std::string& key, const Json& entry, const std::string& name) {
  const std::string what = cat(name, ": tensor ", key);
  require(entry.is_object() && entry.size() == 3 && entry.contains("dtype") && entry.contains("shape") &&
              entry.contains("data_offsets"),
          what, " must have dtype, shape and data_offsets, and nothing else");
  require(entry["dtype"].is_string() && entry["shape"].is_array(), what, ": dtype must be a text, and shape a list");
  const auto type_name = entry["dtype"].get<std::string>();
  const std::optional<NumberType> type = number_type_of(type_name);
  require(type.has_value(), what, " has dtype ", type_name, ", which this program does not know");
  StoredTensor tensor{.name = key, .type = *type};
  for (const Json& extent : entry["shape"]) {
    const std::uint64_t count = count_of(extent, cat(what, ": an extent of its shape"));
    require(std::in_range<std::int64_t>(count), what, " is larger than any file");
    tensor.shape.push_back(static_cast<std::int64_t>(count));
  }
  return tensor;
}

/// Calls work(place of the first byte, room for the bytes, numbers) for numbers of `type`, a million at a time.
template <class Number, class Work>
void in_parts(NumberType type, std::span<Number> numbers, const Work& work) {
  constexpr std::size_t kPart = std::size_t{1} << 20U;
  const std::size_t width = bytes_of(type);
  std::vector<std::byte> bytes(std::min(numbers.size(), kPart) * width);
  for (std::size_t done = 0; done < numbers.size(); done += kPart) {
    const std::size_t count = std::min(kPart, numbers.size() - done);
    work(done * width, std::span(bytes).first(count * width), numbers.subspan(done, count));
  }
}

}  // namespace

std::uint64_t StoredTensor::elements() const {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

std::string StoredTensor::to_string() const {
  std::string text = cat(name, " (", name_of(type));
  for (std::size_t i = 0; i < shape.size(); ++i) text += cat(i == 0 ? " " : " x ", shape[i]);
  return text + ")";
}

SafetensorsReader::SafetensorsReader(std::filesystem::path path) : path_(std::move(path)), file_(open_to_read(path_)) {
  const std::string name = path_.string();
  struct stat seen {};
  require(::fstat(file_.number(), &seen) == 0, name, ": cannot be read");
  const auto size = static_cast<std::uint64_t>(seen.st_size);
  std::uint64_t length = 0;
  const std::size_t got = read_at(file_, name, 0, std::as_writable_bytes(std::span(&length, 1)));
  require(got == sizeof(length), name, ": no safetensors file: it ends before the length of its header");
  require(length <= kLongestHeader, name, ": no safetensors file: its header would have ", length, " bytes; at most ",
          kLongestHeader, " are allowed");
  require(length <= size - sizeof(length), name, ": it ends within its header, of ", length, " bytes");
  std::string header(length, '\0');
  require(read_at(file_, name, sizeof(length), std::as_writable_bytes(std::span(header))) == length, name,
          ": it ends within its header");
  data_ = sizeof(length) + length;
  read_header(header, size - data_);
}

void SafetensorsReader::read_header(std::string_view header, std::uint64_t data) {
  const std::string name = path_.string();
  require(header.starts_with('{'), name, ": no safetensors file: its header does not begin with {");
  const Json parsed = parse_json(header, cat(name, ": its header"));
  for (const auto& [key, entry] : parsed.items()) {
    if (key == kMetadata) {
      require(entry.is_object(), name, ": ", kMetadata, " must hold texts");
      for (const auto& [what, text] : entry.items()) {
        require(text.is_string(), name, ": ", kMetadata, " must hold texts; ", what, " is none");
        metadata_[what] = text.get<std::string>();
      }
      continue;
    }
    StoredTensor tensor = read_entry(key, entry, name);
    const Json& offsets = entry["data_offsets"];
    const std::string what = cat(name, ": tensor ", key, ": data_offsets");
    require(offsets.is_array() && offsets.size() == 2, what, " must be two numbers");
    tensor.first = count_of(offsets[0], what);
    const std::uint64_t end = count_of(offsets[1], what);
    require(tensor.first <= end && end <= data, what, " are ", tensor.first, " and ", end, "; there are ", data,
            " bytes of data");
    require(end - tensor.first == bytes_of_shape(tensor, name), what, " span ", end - tensor.first, " bytes; ",
            tensor.to_string(), " takes ", bytes_of_shape(tensor, name));
    tensors_.push_back(std::move(tensor));
  }
  std::ranges::stable_sort(tensors_, {}, [](const StoredTensor& t) { return std::pair(t.first, t.bytes()); });
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const StoredTensor& tensor = tensors_[i];
    require(tensor.first == expected, name, ": tensor ", tensor.name,
            tensor.first < expected ? " overlaps the one before it: it" : " leaves a gap before it: it", " begins at ",
            tensor.first, ", expected ", expected);
    expected += tensor.bytes();
    places_[tensor.name] = i;
  }
  require(expected == data, name, ": its tensors take ", expected, " bytes, but there are ", data, " of data");
}

const StoredTensor* SafetensorsReader::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &tensors_[found->second];
}

void SafetensorsReader::read(const StoredTensor& tensor, std::uint64_t first, std::span<std::byte> bytes) const {
  require(read_at(file_, path_.string(), data_ + tensor.first + first, bytes) == bytes.size(), path_.string(),
          ": it has become shorter while it was read, in tensor ", tensor.name);
}

void SafetensorsReader::read(const StoredTensor& tensor, std::span<float> numbers) const {
  in_parts(tensor.type, numbers, [&](std::uint64_t first, std::span<std::byte> bytes, std::span<float> part) {
    read(tensor, first, bytes);
    decode(tensor.type, bytes, part);
  });
}

void SafetensorsReader::expect(const StoredTensor& tensor, std::uint64_t first, std::uint64_t bytes) const {
  ::posix_fadvise(file_.number(), static_cast<off_t>(data_ + tensor.first + first), static_cast<off_t>(bytes),
                  POSIX_FADV_WILLNEED);
}

void SafetensorsReader::forget(const StoredTensor& tensor, std::uint64_t first, std::uint64_t bytes) const {
  ::posix_fadvise(file_.number(), static_cast<off_t>(data_ + tensor.first + first), static_cast<off_t>(bytes),
                  POSIX_FADV_DONTNEED);
}

bool is_safetensors(const std::filesystem::path& path) {
  try {
    const Descriptor file = open_to_read(path);
    std::array<std::byte, 9> begin{};
    if (read_at(file, path.string(), 0, begin) != begin.size()) return false;
    std::uint64_t length = 0;
    std::memcpy(&length, begin.data(), sizeof(length));
    return length <= kLongestHeader && begin.back() == std::byte{'{'};
  } catch (const Error&) {
    return false;
  }
}

std::string safetensors_header(std::vector<StoredTensor>& tensors, const Metadata& metadata) {
  constexpr std::size_t kAlignment = 8;
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::uint64_t place = 0;
  for (StoredTensor& tensor : tensors) {
    tensor.first = place;
    place += tensor.bytes();
    header[tensor.name] = {
        {"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {tensor.first, place}}};
  }
  std::string text = header.dump();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + text;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& target, std::vector<StoredTensor> tensors,
                                     const Metadata& metadata)
    : tensors_(std::move(tensors)), file_(target) {
  const std::string header = safetensors_header(tensors_, metadata);
  data_ = header.size();
  file_.resize(data_ + (tensors_.empty() ? 0 : tensors_.back().first + tensors_.back().bytes()));
  file_.write(header);
}

void SafetensorsWriter::write(const StoredTensor& tensor, std::uint64_t first, std::span<const std::byte> bytes) {
  file_.write_at(data_ + tensor.first + first, bytes);
}

void SafetensorsWriter::write(const StoredTensor& tensor, std::span<const float> numbers) {
  in_parts(tensor.type, numbers, [&](std::uint64_t first, std::span<std::byte> bytes, std::span<const float> part) {
    encode(tensor.type, part, bytes);
    write(tensor, first, bytes);
  });
}

void SafetensorsWriter::commit() {
  file_.sync();
  file_.commit();
}

}  // namespace fleet
