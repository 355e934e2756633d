#include "data/cifar.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "base/error.hpp"
#include "complaint.hpp"
#include "data/cifar_pictures.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

/// Records of `labels` labels each: of record i they are i, i + 1 ..., its pixels begin with i.
std::string records(int count, int labels) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    for (int l = 0; l < labels; ++l) bytes += static_cast<char>(i + l);
    for (int p = 0; p < kCifarPixels; ++p) bytes += static_cast<char>(i + p);
  }
  return bytes;
}

class CifarTest : public testing::Test {
 protected:
  fs::path write(const std::string& bytes, const std::string& name = "batch.bin") const {
    Scratch::write(scratch_.path() / name, bytes);
    return scratch_.path() / name;
  }
  static std::string failure(const fs::path& path, CifarLabels labels = {}) {
    try {
      (void)scan_cifar(path, labels);
    } catch (const Error& error) {
      return error.what();
    }
    return "read";
  }

  Scratch scratch_;
};

TEST_F(CifarTest, reads_labels_and_planes_of_every_record) {
  constexpr int kImages = 300;  // more than are read at once
  for (const CifarLabels which : {CifarLabels{1, 0}, CifarLabels{2, 0}, CifarLabels{2, 1}}) {
    const fs::path path = write(records(kImages, which.count));
    std::vector<std::byte> labels(kImages);
    std::vector<std::byte> pixels(labels.size() * kCifarPixels);
    const CifarContent content = read_cifar(path, which, labels, pixels);
    EXPECT_EQ(content.images, kImages);
    EXPECT_EQ(content.digest, scan_cifar(path, which).digest);
    for (int i = 0; i < kImages; ++i) {
      EXPECT_EQ(labels[static_cast<std::size_t>(i)], static_cast<std::byte>(i + which.wanted));
      EXPECT_EQ(pixels[static_cast<std::size_t>(i) * kCifarPixels + 3071], static_cast<std::byte>(i + 3071));
    }
    EXPECT_EQ(read_cifar(path, which, labels, {}).digest, content.digest);
  }
  EXPECT_EQ(scan_cifar(write(records(7, 2)), {2, 0}).largest, 6);
  EXPECT_EQ(scan_cifar(write(records(7, 2)), {2, 1}).largest, 7);
}

TEST_F(CifarTest, any_byte_changes_the_digest_and_compression_does_not) {
  const std::string bytes = records(260, 1);
  const CifarContent content = scan_cifar(write(bytes), {});
  for (const std::size_t at : {std::size_t{0}, std::size_t{5000}, bytes.size() - 1}) {
    std::string other = bytes;
    other[at] ^= 1;
    EXPECT_NE(scan_cifar(write(other), {}).digest, content.digest) << at;
  }
  const fs::path packed = scratch_.path() / "batch.bin.gz";
  gzFile file = gzopen(packed.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  EXPECT_EQ(scan_cifar(packed, {}).digest, content.digest);
}

TEST_F(CifarTest, what_is_remembered_is_what_was_found) {
  ContentCache cache(scratch_.path() / "cache", std::chrono::nanoseconds(0));
  const fs::path path = write(records(5, 2));
  for (const CifarLabels which : {CifarLabels{2, 0}, CifarLabels{2, 1}}) {
    const CifarContent found = scan_cifar(path, which);
    for (int time = 0; time < 2; ++time) {
      const CifarContent answer = scan_cifar(path, which, cache);
      EXPECT_EQ(answer.digest, found.digest);
      EXPECT_EQ(answer.largest, found.largest);
      EXPECT_EQ(answer.images, found.images);
    }
  }
}

TEST_F(CifarTest, refuses_what_is_no_list_of_records) {
  const std::string whole = records(3, 1);
  expect_says(
      failure(write(whole.substr(0, whole.size() - 1))),
      {"batch.bin", "truncated record: found 3072 bytes behind 2 records of 3073 bytes (a label and 3072 pixels)"});
  expect_says(failure(write(whole), {2, 1}), {"truncated record", "records of 3074 bytes (2 labels and 3072 pixels)"});
  expect_says(failure(write("")), {"batch.bin", "is empty"});
  expect_says(failure(scratch_.path() / "none.bin"), {"none.bin", "cannot be opened"});
  std::vector<std::byte> labels(2);
  EXPECT_THROW((void)read_cifar(write(whole), {}, labels, {}), Error);
  labels.resize(4);
  EXPECT_THROW((void)read_cifar(write(whole), {}, labels, {}), Error);
}

TEST_F(CifarTest, finds_files_where_the_archive_puts_them) {
  const fs::path home = scratch_.path() / "home";
  try {
    (void)find_cifar(home, "unpacked", "train.bin");
    FAIL() << "found";
  } catch (const Error& error) {
    expect_says(error.what(), {"home", "looked for train.bin, train.bin.gz, and both in unpacked"});
  }
  Scratch::write(home / "unpacked/train.bin.gz", "x");
  EXPECT_EQ(find_cifar(home, "unpacked", "train.bin"), home / "unpacked/train.bin.gz");
  Scratch::write(home / "train.bin", "x");
  EXPECT_EQ(find_cifar(home, "unpacked", "train.bin"), home / "train.bin");
}

TEST_F(CifarTest, labels_in_json_are_bytes_or_refused) {
  EXPECT_EQ(read_label_list(write("[6, 9, 255]")), (std::vector<std::uint8_t>{6, 9, 255}));
  for (const char* text : {"{\"a\": 1}", "[1, 256]", "[-1]", "[0.5]", "[1, ", ""}) {
    EXPECT_THROW((void)read_label_list(write(text)), Error) << text;
  }
}

}  // namespace
}  // namespace fleet
