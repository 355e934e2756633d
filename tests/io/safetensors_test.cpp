// What is written is what is read, number by number; what is no such file, or contradicts itself, is refused by name.
#include "io/safetensors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.hpp"
#include "complaint.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

std::string file_of(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + data;
}

std::string entry(const std::string& name, const std::string& shape, int begin, int end,
                  const std::string& type = "F32") {
  return cat('"', name, R"(":{"dtype":")", type, R"(","shape":)", shape, R"(,"data_offsets":[)", begin, ',', end, "]}");
}

class SafetensorsTest : public testing::Test {
 protected:
  std::string complaint_of(const std::string& bytes) const {
    const fs::path file = scratch_.path() / "a.safetensors";
    Scratch::write(file, bytes);
    const std::string message = complaint([&] { SafetensorsReader reader(file); });
    if (message != "accepted") {
      EXPECT_EQ(message.find(file.string()), 0U) << message;
    }
    return message;
  }
  static void expect_says(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  Scratch scratch_;
};

TEST_F(SafetensorsTest, what_is_read_is_what_was_written) {
  const fs::path file = scratch_.path() / "model.safetensors";
  SafetensorsWriter writer(file,
                           {{"half", NumberType::kF16, {3, 2}},
                            {"one", NumberType::kF64, {}},
                            {"none", NumberType::kF32, {0, 4}},
                            {"steps", NumberType::kI64, {1}}},
                           {{"format", "pt"}, {"note", "a \"quoted\" word"}});
  const std::vector<float> halves{1.0F, -2.5F, 0.0F, 65504.0F, 6e-8F, -0.25F};
  const std::vector<float> pi{3.25F};
  const std::int64_t steps = -7;
  writer.write(writer.tensors()[0], halves);
  writer.write(writer.tensors()[1], pi);
  writer.write(writer.tensors()[3], 0, std::as_bytes(std::span(&steps, 1)));
  EXPECT_FALSE(fs::exists(file));
  writer.commit();
  EXPECT_TRUE(is_safetensors(file));

  const SafetensorsReader reader(file);
  ASSERT_EQ(reader.tensors().size(), 4U);
  EXPECT_EQ(reader.metadata(), (Metadata{{"format", "pt"}, {"note", "a \"quoted\" word"}}));
  EXPECT_EQ(reader.find("half")->to_string(), "half (F16 3 x 2)");
  EXPECT_EQ(reader.find("one")->to_string(), "one (F64)");
  EXPECT_EQ(reader.find("none")->bytes(), 0U);
  EXPECT_EQ(reader.find("other"), nullptr);
  std::vector<float> read(6);
  reader.read(*reader.find("half"), read);
  EXPECT_EQ(read[3], 65504.0F);
  EXPECT_NEAR(read[4], 6e-8F, 1e-9F);
  read.resize(1);
  reader.read(*reader.find("one"), read);
  EXPECT_EQ(read[0], 3.25F);
  std::int64_t read_steps = 0;
  reader.read(*reader.find("steps"), 0, std::as_writable_bytes(std::span(&read_steps, 1)));
  EXPECT_EQ(read_steps, steps);
}

TEST_F(SafetensorsTest, a_part_of_a_tensor_is_read_and_written_alone) {
  const fs::path file = scratch_.path() / "model.safetensors";
  SafetensorsWriter writer(file, {{"a", NumberType::kU8, {4}}, {"b", NumberType::kU8, {4}}}, {});
  const std::array<std::byte, 2> two{std::byte{7}, std::byte{9}};
  writer.write(writer.tensors()[1], 1, two);
  writer.commit();
  const SafetensorsReader reader(file);
  std::array<std::byte, 3> read{};
  reader.read(*reader.find("b"), 1, read);
  EXPECT_EQ(read, (std::array{std::byte{7}, std::byte{9}, std::byte{0}}));
}

TEST_F(SafetensorsTest, a_file_that_is_not_committed_leaves_nothing) {
  { SafetensorsWriter writer(scratch_.path() / "model.safetensors", {{"a", NumberType::kF32, {1000}}}, {}); }
  EXPECT_TRUE(fs::is_empty(scratch_.path()));
}

TEST_F(SafetensorsTest, what_is_no_such_file_is_refused) {
  expect_says(complaint_of(""), "ends before the length");
  expect_says(complaint_of("abcdefgh"), "would have");
  expect_says(complaint_of(std::string("\20\0\0\0\0\0\0\0{}", 10)), "ends within its header, of 16 bytes");
  expect_says(complaint_of(file_of("[]")), "does not begin with {");
  expect_says(complaint_of(file_of(R"({"a":)")), "no valid JSON: parse error at line 1, column 6");
  expect_says(complaint_of(file_of("{\"a\":\"\xff\"}")), "no valid JSON");
  expect_says(complaint_of(file_of(std::string(200, '[').insert(0, R"({"a":)"))), "nests deeper than 64");
  EXPECT_FALSE(is_safetensors(scratch_.path() / "a.safetensors" / "b"));
  EXPECT_EQ(complaint_of(file_of("{}")), "accepted");
  EXPECT_EQ(complaint_of(file_of("{}      ")), "accepted");
  expect_says(complaint([&] { SafetensorsReader reader(scratch_.path()); }), "it is a folder");
  expect_says(complaint([&] { SafetensorsReader reader(scratch_.path() / "gone"); }), "No such file");
}

TEST_F(SafetensorsTest, offsets_that_overlap_leave_gaps_or_lead_outside_are_refused) {
  const std::string sixteen(16, 'x');
  const auto two = [](const std::string& a, const std::string& b) { return file_of("{" + a + "," + b + "}"); };
  EXPECT_EQ(complaint_of(two(entry("b", "[2]", 8, 16), entry("a", "[1,2]", 0, 8)) + sixteen), "accepted");
  expect_says(complaint_of(two(entry("a", "[2]", 0, 8), entry("b", "[2]", 4, 12)) + sixteen), "b overlaps");
  expect_says(complaint_of(two(entry("a", "[2]", 0, 8), entry("b", "[1]", 12, 16)) + sixteen), "b leaves a gap");
  expect_says(complaint_of(two(entry("a", "[2]", 0, 8), entry("b", "[2]", 8, 16)) + sixteen + "y"),
              "its tensors take 16 bytes, but there are 17");
  expect_says(complaint_of(file_of("{" + entry("a", "[5]", 0, 20) + "}", sixteen)), "there are 16 bytes of data");
  expect_says(complaint_of(file_of("{" + entry("a", "[5]", 16, 0) + "}", sixteen)), "are 16 and 0");
  expect_says(complaint_of(file_of("{" + entry("a", "[3]", 0, 16) + "}", sixteen)), "a (F32 3) takes 12");
  expect_says(complaint_of(file_of("{" + entry("a", "[4294967296,4294967296]", 0, 16) + "}", sixteen)), "larger");
  expect_says(complaint_of(file_of("{" + entry("a", "[-4]", 0, 16) + "}", sixteen)), "is -4; expected a whole number");
  expect_says(complaint_of(file_of("{" + entry("a", "[4.0]", 0, 16) + "}", sixteen)), "is 4.0; expected");
  expect_says(complaint_of(file_of("{" + entry("a", "[4]", 0, 16, "F31") + "}", sixteen)), "has dtype F31");
  expect_says(complaint_of(two(entry("a", "[2]", 0, 8), entry("a", "[2]", 8, 16)) + sixteen), "it has \"a\" twice");
  expect_says(complaint_of(file_of(R"({"a":{"dtype":"F32","shape":[4]}})", sixteen)), "must have dtype");
  expect_says(complaint_of(file_of(R"({"__metadata__":{"a":1}})")), "a is none");
}

TEST(NumberType, every_half_and_bfloat16_comes_back) {
  for (const NumberType type : {NumberType::kF16, NumberType::kBF16}) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
      const auto stored = static_cast<std::uint16_t>(bits);
      float number = 0.0F;
      decode(type, std::as_bytes(std::span(&stored, 1)), std::span(&number, 1));
      double wide = 0.0;
      decode(type, std::as_bytes(std::span(&stored, 1)), std::span(&wide, 1));
      std::uint16_t back = 0;
      encode(type, std::span<const float>(&number, 1), std::as_writable_bytes(std::span(&back, 1)));
      if (std::isnan(number)) {
        EXPECT_TRUE(std::isnan(wide));
        decode(type, std::as_bytes(std::span(&back, 1)), std::span(&number, 1));
        EXPECT_TRUE(std::isnan(number));
      } else {
        ASSERT_EQ(back, stored);
        ASSERT_EQ(static_cast<double>(number), wide);
      }
    }
  }
}

/// Of the two neighbours of any float, encode() takes the nearer one, and of equally near ones the even one.
TEST(NumberType, numbers_are_rounded_to_the_nearest) {
  RandomStream stream(1, Purpose::kTest);
  for (const NumberType type : {NumberType::kF16, NumberType::kBF16}) {
    const auto value = [&](std::uint16_t stored) {
      double number = 0.0;
      decode(type, std::as_bytes(std::span(&stored, 1)), std::span(&number, 1));
      return number;
    };
    for (int draw = 0; draw < 20000; ++draw) {
      const int exponent = static_cast<int>(stream.below(30)) - 26;
      auto number = static_cast<float>(std::ldexp(stream.normal(), exponent));
      if (draw % 3 == 0) {  // just between two
        const auto lower = static_cast<std::uint16_t>(stream.below(0x7000));
        number = static_cast<float>((value(lower) + value(static_cast<std::uint16_t>(lower + 1))) / 2);
      }
      std::uint16_t stored = 0;
      encode(type, std::span<const float>(&number, 1), std::as_writable_bytes(std::span(&stored, 1)));
      const double error = std::abs(value(stored) - static_cast<double>(number));
      for (const int step : {-1, 1}) {
        const auto neighbour = static_cast<std::uint16_t>(stored + step);
        if (((neighbour ^ stored) & 0x8000) != 0 || !std::isfinite(value(neighbour))) continue;
        const double other = std::abs(value(neighbour) - static_cast<double>(number));
        ASSERT_LE(error, other) << number;
        if (error == other) {
          ASSERT_EQ(stored % 2, 0) << number;
        }
      }
    }
  }
  const std::array<float, 3> large{65519.0F, 65520.0F, -std::numeric_limits<float>::infinity()};
  std::array<std::uint16_t, 3> stored{};
  encode(NumberType::kF16, large, std::as_writable_bytes(std::span(stored)));
  EXPECT_EQ(stored, (std::array<std::uint16_t, 3>{0x7bff, 0x7c00, 0xfc00}));
}

}  // namespace
}  // namespace fleet
