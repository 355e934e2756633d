#include "simulation/film.hpp"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/atomic_file.hpp"
#include "io/replaceable.hpp"

namespace fleet::simulation {
namespace {

namespace fs = std::filesystem;

// What makes pictures is called "fleet WORLD rollout".
constexpr std::string_view kProgram = "fleet ";
constexpr std::string_view kCommand = " rollout";
constexpr std::size_t kLongestMaker = 100;

bool is_maker(std::string_view text) {
  return text.size() <= kLongestMaker && text.starts_with(kProgram) && text.ends_with(kCommand);
}

/// Four bytes, the most significant first, as PNG has its numbers.
std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((number >> shift) & 0xffU);
  return bytes;
}

constexpr std::string_view kSoftware{"tEXtSoftware", 13};  // with the zero behind it

/// The part of a picture, before its end, that says who made it.
std::string signature(std::string_view maker) {
  const std::string content = cat(kSoftware, maker);
  const auto checksum = crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());  // NOLINT
  return big_endian(static_cast<std::uint32_t>(content.size() - 4)) + content +
         big_endian(static_cast<std::uint32_t>(checksum));
}

constexpr std::size_t kEndLength = 12;  // of a picture's last part, which is always the same
constexpr std::size_t kChecksumLength = 4;

void write_png(const fs::path& path, const Picture& picture, std::string_view maker) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  const int written = png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.rgb.data(), 0, nullptr);
  require(written != 0, "cannot write ", path.string(), ": ", image.message);
  bytes.resize(size);
  replace_file(path, bytes.insert(size - kEndLength, signature(maker)));
}

bool is_own_picture(const fs::path& file) {
  std::error_code failure;
  const auto size = fs::file_size(file, failure);
  if (failure) return false;
  std::string tail(std::min<std::uintmax_t>(size, signature("").size() + kLongestMaker + kEndLength), '\0');
  std::ifstream in(file, std::ios::binary);
  in.seekg(-static_cast<std::streamoff>(tail.size()), std::ios::end);
  in.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  const std::size_t software = tail.rfind(kSoftware);
  if (!in.good() || software == std::string::npos) return false;
  const std::string_view signed_part =
      std::string_view(tail).substr(0, tail.size() - std::min(tail.size(), kEndLength));
  const std::size_t from = software + kSoftware.size();
  if (signed_part.size() < from + kChecksumLength) return false;
  const std::string_view maker = signed_part.substr(from, signed_part.size() - from - kChecksumLength);
  return is_maker(maker) && signed_part.ends_with(signature(maker));
}

/// Whether some place of the text holds the name of a maker.
bool names_maker(std::string_view text) {
  for (std::size_t at = text.find(kProgram); at != std::string_view::npos; at = text.find(kProgram, at + 1)) {
    const std::size_t end = text.find(kCommand, at);
    if (end == std::string_view::npos) return false;
    if (is_maker(text.substr(at, end + kCommand.size() - at))) return true;
  }
  return false;
}

/// ffmpeg writes the maker as it is among what it says of a film.
bool is_own_film(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string window;  // the last block, and as much of the one before as the maker may have begun in
  std::string block(std::size_t{1} << 20U, '\0');
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    window.append(block, 0, static_cast<std::size_t>(in.gcount()));
    if (names_maker(window)) return true;
    window.erase(0, window.size() - std::min(window.size(), kLongestMaker));
  }
  return false;
}

std::string name_of(int picture) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "%06d.png", picture);
  return name.data();
}

bool is_numbered(const std::string& name) {
  const std::string number = name.substr(0, name.size() - std::min<std::size_t>(name.size(), 4));
  return number.size() >= 6 && number.find_first_not_of("0123456789") == std::string::npos && name.ends_with(".png");
}

/// ConfigError unless the folder is to be made, is empty, or holds numbered pictures of this program alone.
void require_own_pictures(const fs::path& folder) {
  if (const std::string reason = why_unclear(folder); !reason.empty()) throw ConfigError(reason);
  remove_temporaries(folder, is_numbered);
  std::vector<std::string> others;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failure)) {
    const std::string name = entry.path().filename().string();
    const bool plain = fs::is_regular_file(entry.symlink_status(failure));
    if (!is_numbered(name) || !plain || !is_own_picture(entry.path())) others.push_back(name);
  }
  if (others.empty()) return;
  throw ConfigError(cat(folder.string(), " holds other files than pictures of this program: ", some_of(others),
                        "; pictures go to a folder of their own"));
}

std::string maker_of(const Facts& facts) {
  return cat(kProgram, facts.name, kCommand);
}

}  // namespace

void require_own_picture(const fs::path& path) {
  if (path.extension() != ".png") throw ConfigError(cat(path.string(), ": a picture's name ends in .png"));
  require_replaceable(path, {"picture", is_own_picture});
}

void write_picture(const fs::path& path, const Picture& picture, const Facts& facts) {
  write_png(path, picture, maker_of(facts));
}

Film::Film(fs::path path, const Facts& facts)
    : path_(std::move(path)), maker_(maker_of(facts)), pictures_per_second_(facts.pictures_per_second), folder_(path_) {
  constexpr std::array kOtherFilms = {".avi", ".gif", ".m4v", ".mkv", ".mov", ".mpg", ".webm"};
  for (const char* other : kOtherFilms) {
    if (path_.extension() == other) throw ConfigError(cat(path_.string(), ": a film's name ends in .mp4"));
  }
  const bool film = path_.extension() == ".mp4";
  if (film) {
    require_replaceable(path_, {"film", is_own_film});
  } else {
    require_own_pictures(path_);
  }
  std::error_code failure;
  const fs::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  fs::create_directories(film ? parent : path_, failure);
  require(!failure, "cannot create ", (film ? parent : path_).string(), ": ", failure.message());
  if (!film) return;
  require(run({{"ffmpeg", "-version"}}).succeeded, path_.string(),
          ": a film needs ffmpeg, which is not installed; name a folder instead for PNG pictures");
  scratch_ = std::make_unique<ScratchDirectory>(parent);
  folder_ = scratch_->path();
}

void Film::add(const Picture& picture) {
  write_png(folder_ / name_of(pictures_++), picture, maker_);
}

void Film::finish() {
  if (!scratch_) {
    for (int next = pictures_; fs::remove(folder_ / name_of(next));) ++next;  // of an earlier, longer film
    return;
  }
  const fs::path film = folder_ / "film.mp4";
  const Outcome outcome = run(
      {{"ffmpeg", "-loglevel", "error", "-framerate", std::to_string(pictures_per_second_), "-i",
        (folder_ / "%06d.png").string(), "-pix_fmt", "yuv420p", "-metadata", cat("comment=", maker_), film.string()}});
  require(outcome.succeeded, "ffmpeg cannot make ", path_.string(), ": ", outcome.reason());
  std::error_code failure;
  fs::rename(film, path_, failure);
  require(!failure, "cannot write ", path_.string(), ": ", failure.message());
}

}  // namespace fleet::simulation
