// Whatever the bytes, a checkpoint gives records, and a record's state values, or an Error. Checksums are put right, so
// that what is behind them is reached too.
#include <zlib.h>

#include <cstring>

#include "base/error.hpp"
#include "base/state.hpp"
#include "fuzz_file.hpp"
#include "io/checkpoint_file.hpp"

namespace {

/// Puts the magic in front and the right checksum behind every record whose length fits.
std::string with_checksums(std::string bytes) {
  std::size_t at = 0;
  while (bytes.size() - at >= sizeof(std::uint64_t)) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    at += sizeof(length);
    if (bytes.size() - at < sizeof(std::uint32_t) || length > bytes.size() - at - sizeof(std::uint32_t)) break;
    const auto* record = reinterpret_cast<const Bytef*>(bytes.data() + at);  // NOLINT
    const auto checksum = static_cast<std::uint32_t>(crc32_z(0, record, length));
    std::memcpy(bytes.data() + at + length, &checksum, sizeof(checksum));
    at += length + sizeof(checksum);
  }
  return "FLEETCP1" + bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(fleet::as_text(data, size));
  for (const std::string& content : {bytes, with_checksums(bytes)}) {
    const fleet::FuzzFile file(content);
    try {
      fleet::CheckpointReader reader(file.path());
      for (;;) {
        const std::string record = reader.next();
        fleet::StateReader state(record);
        while (!state.at_end()) {
          (void)state.read_text();
          (void)state.read_all<double>();
        }
      }
    } catch (const fleet::Error&) {
    }
  }
  return 0;
}
