#include "data/packed_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace fleet {

void PackedFile::Close::operator()(gzFile_s* file) const {
  gzclose(file);
}

PackedFile::PackedFile(const std::filesystem::path& path) : name_(path.string()) {
  std::error_code unknown;  // then it cannot be opened either
  const std::filesystem::file_status status = std::filesystem::status(path, unknown);
  require(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), name_,
          ": cannot be read: it is a folder, a pipe or a device; expected a file");
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  require(file_ != nullptr, name_, ": cannot be opened: ", errno != 0 ? std::strerror(errno) : "out of memory");
  gzbuffer(file_.get(), 1U << 17U);
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  require(!unknown, name_, ": cannot be read: ", unknown.message());
  size_ = size;
}

std::size_t PackedFile::read(std::span<std::byte> into) {
  constexpr std::size_t kChunk = std::size_t{1} << 24U;
  std::size_t filled = 0;
  bool asked_again = false;
  while (filled < into.size()) {
    const auto wanted = static_cast<unsigned>(std::min(kChunk, into.size() - filled));
    const int got = gzread(file_.get(), &into[filled], wanted);
    int code = Z_OK;
    const char* const message = gzerror(file_.get(), &code);
    require(code != Z_BUF_ERROR, name_, ": truncated gzip: the compressed data break off");
    // zlib puts the path before its messages, unless it has no memory for that.
    require(got >= 0, code == Z_MEM_ERROR ? name_ + ": " : "", message);
    filled += static_cast<std::size_t>(got);
    if (got > 0) continue;
    if (asked_again) break;
    // When the input ends just where an earlier read was satisfied, zlib takes that for a clean
    // end even inside a compressed stream. Asked again, it looks.
    gzclearerr(file_.get());
    asked_again = true;
  }
  return filled;
}

bool PackedFile::is_compressed() const {
  return gzdirect(file_.get()) == 0;
}

std::uint64_t PackedFile::most_bytes() const {
  constexpr std::uint64_t kMostOfDeflate = 1032;  // bytes out of one: its longest match, 258, takes two bits
  return is_compressed() ? size_ * kMostOfDeflate : size_;
}

}  // namespace fleet
