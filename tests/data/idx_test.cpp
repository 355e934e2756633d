#include "data/idx.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "complaint.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

/// The header of an IDX file of unsigned bytes.
std::string idx_header(const std::vector<unsigned>& shape) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (const unsigned extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  }
  return bytes;
}

/// `size` bytes which do not repeat soon, so that compressed they are not much shorter.
std::string noise_bytes(std::size_t size) {
  std::string bytes;
  unsigned state = 1;
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 1664525U + 1013904223U;
    bytes += static_cast<char>(state >> 24U);
  }
  return bytes;
}

class IdxTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "idx_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    fs::path path = directory_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  fs::path write_gzip(const std::string& name, const std::string& bytes, const char* mode = "wb") {
    fs::path path = directory_ / name;
    gzFile file = gzopen(path.c_str(), mode);
    EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
    EXPECT_EQ(gzclose(file), Z_OK);
    return path;
  }
  static std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string payload(const fs::path& path, std::size_t size) {
    std::string bytes(size, '?');
    read_idx(path, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }
  /// What read_idx says when it refuses the file; every such message names it.
  static std::string complaint(const fs::path& path, std::size_t size) {
    try {
      payload(path, size);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.string() + ": "), std::string::npos) << error.what();
      return error.what();
    }
    return "accepted";
  }

  fs::path directory_;
};

TEST_F(IdxTest, reads_plain_and_compressed_alike) {
  const std::string body = noise_bytes(24);
  const fs::path plain = write("plain", idx_header({2, 3, 4}) + body);
  const fs::path packed = write_gzip("packed.gz", idx_header({2, 3, 4}) + body);
  const fs::path unnamed = write_gzip("packed_too", idx_header({2, 3, 4}) + body);
  for (const fs::path& path : {plain, packed, unnamed}) {
    const IdxContent content = scan_idx(path);
    EXPECT_EQ(content.shape, (std::vector<std::int64_t>{2, 3, 4}));
    EXPECT_EQ(content.bytes(), 24U);
    EXPECT_EQ(content.digest, scan_idx(plain).digest);
    EXPECT_EQ(payload(path, 24), body);
  }
}

TEST_F(IdxTest, reads_big_endian_dimensions) {
  const fs::path path = write_gzip("f", idx_header({60000, 3, 2}) + noise_bytes(360000));
  EXPECT_EQ(scan_idx(path).shape, (std::vector<std::int64_t>{60000, 3, 2}));
}

TEST_F(IdxTest, scanning_finds_what_reading_finds) {
  for (const unsigned size : {1U, 300U, 1U << 20U, (1U << 20U) + 1, 5U << 19U}) {  // about the pieces it is read in
    std::string body = noise_bytes(size);
    std::ranges::replace(body, '\xff', '\0');
    body.back() = '\xff';
    const fs::path path = write("f", idx_header({size}) + body);
    std::vector<std::byte> bytes(size);
    const IdxContent scanned = scan_idx(path);
    const IdxContent read = read_idx(path, bytes);
    EXPECT_EQ(scanned.largest, 255);
    EXPECT_EQ(read.largest, 255);
    EXPECT_EQ(scanned.digest, read.digest);
  }
}

TEST_F(IdxTest, any_byte_that_is_changed_changes_the_digest_or_is_refused) {
  const std::string whole = idx_header({2, 3, 4}) + noise_bytes(24);
  const std::string digest = scan_idx(write("f", whole)).digest;
  int other = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      try {
        EXPECT_NE(scan_idx(write("f", bytes)).digest, digest) << at;
        ++other;
      } catch (const Error&) {
        EXPECT_LT(at, whole.size() - 24) << "only a header can be wrong";
      }
    }
  }
  EXPECT_EQ(other, 3 * 24);
  EXPECT_NE(scan_idx(write("f", idx_header({2, 4, 3}) + noise_bytes(24))).digest, digest);
  EXPECT_NE(scan_idx(write("f", idx_header({24}) + noise_bytes(24))).digest, digest);
}

// A header may claim anything. What the file cannot hold is refused before anything of that size is asked for.
TEST_F(IdxTest, refuses_a_header_that_claims_more_than_its_file_can_hold) {
  const std::string four_gib = idx_header({65536, 65535});
  const auto scan_complaint = [](const fs::path& path) -> std::string {
    try {
      (void)scan_idx(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  expect_says(scan_complaint(write("f", four_gib + noise_bytes(9))),
              {"truncated payload", "found 9 bytes", "4294901760"});
  const fs::path packed = write_gzip("f.gz", four_gib + std::string(1 << 20, '\0'));
  expect_says(scan_complaint(packed), {"truncated payload", "found at most", "compressed bytes hold no more"});
  // What is compressed as far as it goes is no exaggeration.
  EXPECT_EQ(scan_idx(write_gzip("zeros.gz", idx_header({1U << 24U}) + std::string(1U << 24U, '\0'), "wb9")).bytes(),
            std::size_t{1} << 24U);
}

TEST_F(IdxTest, a_file_that_is_remembered_is_not_read_again) {
  ContentCache cache(directory_ / "cache", std::chrono::seconds(0));
  const fs::path path = write("f", idx_header({2, 3}) + noise_bytes(6));
  const IdxContent content = scan_idx(path, cache);
  EXPECT_EQ(content.digest, scan_idx(path).digest);
  int looked = 0;
  (void)cache.answer(path, "idx 1", [&] {
    ++looked;
    return std::string("again");
  });
  EXPECT_EQ(looked, 0);
  const IdxContent remembered = scan_idx(path, cache);
  EXPECT_EQ(remembered.digest, content.digest);
  EXPECT_EQ(remembered.shape, content.shape);
  EXPECT_EQ(remembered.largest, content.largest);
  forget_idx(path, cache);
  EXPECT_EQ(scan_idx(path, cache).digest, content.digest);
}

TEST_F(IdxTest, a_damaged_file_is_never_remembered) {
  ContentCache cache(directory_ / "cache", std::chrono::seconds(0));
  const fs::path path = write("f", idx_header({2, 3}) + noise_bytes(5));
  for (int i = 0; i < 2; ++i) EXPECT_THROW((void)scan_idx(path, cache), Error);
}

/// A table of 32-bit integers; its first column, as a string of bytes.
std::string idx_table(const std::string& first, unsigned columns) {
  std::string bytes = idx_header({static_cast<unsigned>(first.size()), columns});
  bytes[2] = '\x0c';
  for (const char each : first) {
    bytes += std::string(3, '\0') + each;
    for (unsigned k = 1; k < columns; ++k) bytes += noise_bytes(4);
  }
  return bytes;
}

TEST_F(IdxTest, the_first_column_of_a_table_is_read_as_an_array_of_its_bytes) {
  const std::string classes = noise_bytes(300);
  const IdxContent alike = scan_idx(write("array", idx_header({300}) + classes));
  for (const unsigned columns : {1U, 8U}) {
    for (const fs::path& path :
         {write("t", idx_table(classes, columns)), write_gzip("t.gz", idx_table(classes, columns))}) {
      std::string found(classes.size(), '?');
      const IdxContent read = read_idx(path, std::as_writable_bytes(std::span(found)), IdxPart::kFirstColumn);
      EXPECT_EQ(found, classes);
      for (const IdxContent& content : {read, scan_idx(path, IdxPart::kFirstColumn)}) {
        EXPECT_EQ(content.shape, alike.shape);
        EXPECT_EQ(content.largest, alike.largest);
        EXPECT_EQ(content.digest, alike.digest);
      }
    }
  }
}

TEST_F(IdxTest, refuses_what_is_no_table_of_small_integers) {
  const auto column_complaint = [this](const std::string& bytes) -> std::string {
    try {
      (void)scan_idx(write("t", bytes), IdxPart::kFirstColumn);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string table = idx_table("\1\2\3", 2);
  const std::size_t header = 12;
  std::string large = table;
  large[header + 8 + 1] = '\1';  // of the second row
  expect_says(column_complaint(large), {"row 1 begins with 00 01 00 02", "from 0 to 255"});
  expect_says(column_complaint(idx_header({3}) + "abc"), {"type 08 (unsigned byte)", "expected 0c (32-bit integer)"});
  std::string flat = idx_header({3});
  flat[2] = '\x0c';
  expect_says(column_complaint(flat + noise_bytes(12)), {"found 1 dimensions, expected 2"});
  expect_says(column_complaint(table.substr(0, table.size() - 1)), {"truncated payload", "expected 24 (3 x 2)"});
  expect_says(column_complaint(table + "x"), {"trailing bytes"});
}

TEST_F(IdxTest, refuses_a_file_it_cannot_read) {
  expect_says(complaint(directory_ / "absent", 1), {"cannot be opened", "No such file"});
  expect_says(complaint(directory_, 1), {"it is a folder, a pipe or a device; expected a file"});
}

TEST_F(IdxTest, refuses_a_truncated_header) {
  const std::string header = idx_header({5, 2});
  for (std::size_t length = 0; length < header.size(); ++length) {
    const std::string found = "found " + std::to_string(length) + " bytes";
    expect_says(complaint(write("f", header.substr(0, length)), 10), {"truncated header", found});
    expect_says(complaint(write_gzip("f.gz", header.substr(0, length)), 10), {"truncated header", found});
  }
}

TEST_F(IdxTest, refuses_a_payload_of_another_length) {
  for (const std::string name : {"f", "f.gz"}) {
    const auto put = [&](const std::string& bytes) {
      return name == "f" ? write(name, bytes) : write_gzip(name, bytes);
    };
    const std::string header = idx_header({5, 2});
    expect_says(complaint(put(header), 10), {"truncated payload", "found 0 ", "expected 10 (5 x 2)"});
    expect_says(complaint(put(header + noise_bytes(9)), 10), {"truncated payload", "found 9 "});
    expect_says(complaint(put(header + noise_bytes(11)), 10), {"trailing bytes", "the 10 expected"});
    EXPECT_EQ(payload(put(header + noise_bytes(10)), 10), noise_bytes(10));
  }
}

TEST_F(IdxTest, refuses_a_buffer_of_another_size) {
  const fs::path path = write("f", idx_header({5, 2}) + noise_bytes(10));
  expect_says(complaint(path, 9), {"holds 10 bytes (5 x 2)", "expected 9"});
  expect_says(complaint(path, 11), {"holds 10 bytes (5 x 2)", "expected 11"});
}

TEST_F(IdxTest, refuses_what_is_not_idx) {
  expect_says(complaint(write("page", "<html>Moved</html>"), 1),
              {"not an IDX file", "3c 68 74 6d", "expected 00 00 08"});
}

TEST_F(IdxTest, refuses_other_element_types) {
  std::string floats = idx_header({1}) + noise_bytes(4);
  floats[2] = '\x0D';
  expect_says(complaint(write("f", floats), 4), {"0d (32-bit float)", "08 (unsigned byte)"});
  floats[2] = '\x77';
  expect_says(complaint(write("f", floats), 4), {"77 (unknown)"});
}

TEST_F(IdxTest, refuses_absurd_dimensions) {
  const unsigned huge = 0xffffffffU;
  expect_says(complaint(write("f", idx_header({})), 1), {"0 dimensions", "at least 1"});
  expect_says(complaint(write("f", idx_header({3, 0, 2})), 0), {"absurd", "3 x 0 x ..."});
  expect_says(complaint(write("f", idx_header({huge, huge, huge})), 0), {"absurd", "4294967295"});
  expect_says(complaint(write("f", idx_header({65536, 65536, 65536, 65536})), 0), {"absurd"});
}

TEST_F(IdxTest, refuses_plain_bytes_called_gz) {
  expect_says(complaint(write("f.gz", idx_header({1}) + "x"), 1), {"plain bytes", "expected gzip"});
  expect_says(complaint(write("empty.gz", ""), 1), {"plain bytes", "expected gzip"});
}

// Wherever the compressed file breaks off, be it in gzip's header, its data or its trailer; also
// where the data end with the reader's buffer, and nothing but the trailer is missing.
TEST_F(IdxTest, refuses_gzip_truncated_anywhere) {
  const std::string whole = slurp(write_gzip("f.gz", idx_header({300}) + noise_bytes(300)));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(complaint(write("cut.gz", whole.substr(0, length)), 300), "accepted") << length;
  }
  expect_says(complaint(write("cut.gz", whole.substr(0, whole.size() / 2)), 300), {"truncated gzip"});
}

TEST_F(IdxTest, refuses_gzip_without_its_trailer_at_any_size) {
  for (const unsigned size : {1U << 17U, 1U << 18U, 1U << 19U, 1U << 20U}) {
    for (const unsigned less : {0U, 5U, 8U}) {
      for (const char* mode : {"wb", "wb0"}) {
        const std::string content = idx_header({size - less}) + noise_bytes(size - less);
        const std::string whole = slurp(write_gzip("f.gz", content, mode));
        for (std::size_t lost = 1; lost <= 9; ++lost) {
          const fs::path cut = write("cut.gz", whole.substr(0, whole.size() - lost));
          expect_says(complaint(cut, size - less), {"truncated gzip"});
        }
      }
    }
  }
}

TEST_F(IdxTest, refuses_gzip_with_another_checksum) {
  std::string bytes = slurp(write_gzip("f.gz", idx_header({200000}) + noise_bytes(200000)));
  bytes[bytes.size() - 8] ^= 1;
  expect_says(complaint(write("f.gz", bytes), 200000), {"incorrect data check"});
  bytes[bytes.size() - 8] ^= 1;
  bytes[bytes.size() - 1] ^= 1;
  expect_says(complaint(write("f.gz", bytes), 200000), {"incorrect length check"});
}

TEST_F(IdxTest, finds_every_spelling_the_plain_one_first) {
  const std::string stem = "train-images-idx3-ubyte";
  for (const std::string name : {"train-images.idx3-ubyte.gz", "train-images.idx3-ubyte", "train-images-idx3-ubyte.gz",
                                 "train-images-idx3-ubyte"}) {
    write(name, "");
    EXPECT_EQ(find_idx(directory_, stem), directory_ / name);
    EXPECT_EQ(locate_idx(directory_, stem), directory_ / name);
  }
}

TEST_F(IdxTest, names_the_directory_and_the_names_it_tried) {
  fs::create_directory(directory_ / "t10k-labels-idx1-ubyte");  // a folder is not the file
  EXPECT_EQ(locate_idx(directory_, "t10k-labels-idx1-ubyte"), std::nullopt);
  try {
    (void)find_idx(directory_, "t10k-labels-idx1-ubyte");
    FAIL() << "found";
  } catch (const Error& error) {
    expect_says(std::string(error.what()), {directory_.string(), "t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz",
                                            "t10k-labels.idx1-ubyte", "t10k-labels.idx1-ubyte.gz"});
  }
}

}  // namespace
}  // namespace fleet
