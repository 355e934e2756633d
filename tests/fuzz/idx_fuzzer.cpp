// Whatever the bytes, plain or compressed, the IDX reader gives an array of the size that it announced, or an Error.
#include <vector>

#include "base/error.hpp"
#include "data/idx.hpp"
#include "fuzz_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLargest = std::size_t{1} << 20U;  // a compressed file may hold more; memory is the caller's
  const fleet::FuzzFile file(fleet::as_text(data, size));
  try {
    const fleet::IdxContent scanned = fleet::scan_idx(file.path());
    if (scanned.bytes() > kLargest) return 0;
    std::vector<std::byte> payload(scanned.bytes());
    if (fleet::read_idx(file.path(), payload).digest != scanned.digest) __builtin_trap();
  } catch (const fleet::Error&) {
  }
  return 0;
}
