#include "io/checkpoint_file.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {
namespace {

constexpr std::string_view kMagic = "FLEETCP1";
constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();

std::uint32_t checksum_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));  // NOLINT
}

}  // namespace

CheckpointWriter::CheckpointWriter(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp") {
  errno = 0;
  out_.open(temporary_, std::ios::binary | std::ios::trunc);
  require(out_.is_open(), "cannot create ", temporary_.string(), system_reason());
  put(kMagic.data(), kMagic.size());
}

CheckpointWriter::~CheckpointWriter() {
  if (!out_.is_open()) return;
  out_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void CheckpointWriter::put(const void* bytes, std::size_t size) {
  errno = 0;
  out_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  require(out_.good(), "cannot write ", path_.string(), system_reason());
}

void CheckpointWriter::append(std::string_view record) {
  const std::uint64_t length = record.size();
  const std::uint32_t checksum = checksum_of(record);
  put(&length, sizeof(length));
  put(record.data(), record.size());
  put(&checksum, sizeof(checksum));
  ++records_;
}

void CheckpointWriter::commit(const std::filesystem::path& previous) {
  put(&kEnd, sizeof(kEnd));
  put(&records_, sizeof(records_));
  errno = 0;
  out_.flush();
  require(out_.good(), "cannot write ", path_.string(), system_reason());
  sync_file(temporary_);
  std::error_code error;
  std::filesystem::rename(path_, previous, error);  // there is none at first
  std::filesystem::rename(temporary_, path_, error);
  require(!error, "cannot write ", path_.string(), ": ", error.message());
  out_.close();
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
