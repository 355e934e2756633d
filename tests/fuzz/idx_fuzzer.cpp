// Whatever the bytes, plain or compressed, the IDX reader gives an array of the size that it announced, or an Error.
#include <vector>

#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "io/idx.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLargest = std::size_t{1} << 20U;  // a header may announce anything; memory is the caller's
  const fleet::FuzzFile file(fleet::as_text(data, size));
  try {
    const fleet::IdxHeader header = fleet::read_idx_header(file.path());
    if (header.bytes() > kLargest) return 0;
    std::vector<std::byte> payload(header.bytes());
    fleet::read_idx(file.path(), payload);
  } catch (const fleet::Error&) {
  }
  return 0;
}
