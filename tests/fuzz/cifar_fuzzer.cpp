// Whatever the bytes, plain or compressed, the reader of CIFAR's batches gives as many images as it announced, or an
// Error.
#include <vector>

#include "base/error.hpp"
#include "data/cifar.hpp"
#include "fuzz_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fleet::FuzzFile file(fleet::as_text(data, size));
  for (const fleet::CifarLabels which : {fleet::CifarLabels{1, 0}, fleet::CifarLabels{2, 1}}) {
    try {
      const fleet::CifarContent scanned = fleet::scan_cifar(file.path(), which);
      std::vector<std::byte> labels(static_cast<std::size_t>(scanned.images));
      std::vector<std::byte> pixels(labels.size() * fleet::kCifarPixels);
      if (fleet::read_cifar(file.path(), which, labels, pixels).digest != scanned.digest) __builtin_trap();
    } catch (const fleet::Error&) {
    }
  }
  return 0;
}
