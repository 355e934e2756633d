#include "io/checkpoint_file.hpp"

#include <zlib.h>

#include <limits>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::string_view kMagic = "FLEETCP1";
constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();

std::uint32_t checksum_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));  // NOLINT
}

/// The bytes of a number as the machine has it.
template <class T>
std::string_view bytes_of(const T& number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};  // NOLINT
}

}  // namespace

CheckpointWriter::CheckpointWriter(std::filesystem::path path) : path_(std::move(path)), file_(path_) {
  file_.write(kMagic);
}

void CheckpointWriter::append(std::string_view record) {
  const std::uint64_t length = record.size();
  const std::uint32_t checksum = checksum_of(record);
  file_.write(bytes_of(length));
  file_.write(record);
  file_.write(bytes_of(checksum));
  ++records_;
}

void CheckpointWriter::commit(const std::filesystem::path& previous) {
  file_.write(bytes_of(kEnd));
  file_.write(bytes_of(records_));
  file_.sync();
  std::error_code none_at_first;
  if (!previous.empty()) std::filesystem::rename(path_, previous, none_at_first);
  file_.commit();
  sync_directory(path_.parent_path());
}

CheckpointReader::CheckpointReader(std::filesystem::path path) : path_(std::move(path)) {
  in_.open(path_, std::ios::binary);
  require(in_.is_open(), "there is no file ", path_.string());
  in_.seekg(0, std::ios::end);
  size_ = static_cast<std::uint64_t>(in_.tellg());
  in_.seekg(0);
  std::string magic(kMagic.size(), '\0');
  get(magic.data(), magic.size());
  require(magic == kMagic, path_.string(), " is not a checkpoint of this program");
  const auto first = in_.tellg();
  for (std::string record; advance(record);) {
  }
  in_.seekg(first);
  records_ = 0;
}

std::string CheckpointReader::next() {
  std::string record;
  require(advance(record), path_.string(), " has no more than ", records_, " records");
  return record;
}

bool CheckpointReader::advance(std::string& record) {
  std::uint64_t length = 0;
  get(&length, sizeof(length));
  if (length == kEnd) {
    std::uint64_t expected = 0;
    get(&expected, sizeof(expected));
    require(expected == records_, path_.string(), " is damaged: ", records_, " of ", expected, " records");
    return false;
  }
  require(length <= size_, path_.string(), " is damaged in record ", records_);
  record.resize(length);
  get(record.data(), length);
  std::uint32_t checksum = 0;
  get(&checksum, sizeof(checksum));
  require(checksum == checksum_of(record), path_.string(), " is damaged in record ", records_);
  ++records_;
  return true;
}

void CheckpointReader::get(void* bytes, std::size_t size) {
  in_.read(static_cast<char*>(bytes), static_cast<std::streamsize>(size));
  require(in_.good(), path_.string(), " is truncated");
}

}  // namespace fleet
