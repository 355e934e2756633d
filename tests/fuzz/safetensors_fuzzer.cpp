// Whatever the bytes, the safetensors reader gives tensors whose bytes lie side by side within the file, or an Error.
// The length in front is put right as well, so that what is behind it is reached.
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "io/safetensors.hpp"

namespace {

/// The bytes up to the last } as a header, with its length in front; the rest as data.
std::string with_length(const std::string& bytes) {
  const std::size_t end = bytes.rfind('}');
  const std::uint64_t length = end == std::string::npos ? bytes.size() : end + 1;
  std::string front(sizeof(length), '\0');
  std::memcpy(front.data(), &length, sizeof(length));
  return front + bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(fleet::as_text(data, size));
  for (const std::string& content : {bytes, with_length(bytes)}) {
    const fleet::FuzzFile file(content);
    try {
      const fleet::SafetensorsReader reader(file.path());
      std::uint64_t expected = 0;
      for (const fleet::StoredTensor& tensor : reader.tensors()) {
        if (tensor.first != expected || reader.find(tensor.name) != &tensor) __builtin_trap();
        expected += tensor.bytes();
        if (expected > content.size()) __builtin_trap();
        std::vector<std::byte> read(tensor.bytes());
        reader.read(tensor, 0, read);
        if (!fleet::is_real(tensor.type)) continue;
        std::vector<float> numbers(tensor.elements());
        reader.read(tensor, numbers);
      }
    } catch (const fleet::Error&) {
    }
  }
  return 0;
}
