// Whatever the bytes, the results reader gives tables, arrays and texts, or an Error. Its checksum keeps damaged files
// from the HDF5 library, whose version 1.10 crashes on many: inputs are given to the reader as they are.
#include <vector>

#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "io/hdf5.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fleet::FuzzFile file(fleet::as_text(data, size));
  try {
    const fleet::Hdf5Reader reader(file.path());
    for (const char* name : {"cells", "metrics", "shards", "rounds"}) (void)reader.read_table(name);
    (void)reader.read_text_attribute("/", "config");
    (void)reader.read_integer_attribute("/", "schema_version");
    for (const std::string& tensor : reader.names_in("weights/0")) {
      std::vector<std::size_t> shape;
      (void)reader.read_floats("weights/0/" + tensor, shape);
    }
  } catch (const fleet::Error&) {
  }
  return 0;
}
