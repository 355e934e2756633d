#include "metaworld/film.hpp"

#include <png.h>

#include <array>
#include <cstdio>

#include "base/error.hpp"

namespace fleet::metaworld {
namespace {

namespace fs = std::filesystem;

void write_png(const fs::path& path, const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  const int written = png_image_write_to_file(&image, path.c_str(), 0, picture.rgb.data(), 0, nullptr);
  require(written != 0, "cannot write ", path.string(), ": ", image.message);
}

std::string name_of(int picture) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "%06d.png", picture);
  return name.data();
}

}  // namespace

Film::Film(fs::path path) : path_(std::move(path)), folder_(path_) {
  constexpr std::array kOtherFilms = {".avi", ".gif", ".m4v", ".mkv", ".mov", ".mpg", ".webm"};
  for (const char* other : kOtherFilms) {
    if (path_.extension() == other) throw ConfigError(cat(path_.string(), ": a film's name ends in .mp4"));
  }
  const bool film = path_.extension() == ".mp4";
  std::error_code failure;
  const fs::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  fs::create_directories(film ? parent : path_, failure);
  require(!failure, "cannot create ", (film ? parent : path_).string(), ": ", failure.message());
  if (!film) return;
  require(run({{"ffmpeg", "-version"}}).succeeded, path_.string(),
          ": a film needs ffmpeg, which is not installed; name a folder instead for PNG pictures");
  scratch_ = std::make_unique<Scratch>(parent);
  folder_ = scratch_->path();
}

void Film::add(const Picture& picture) {
  write_png(folder_ / name_of(pictures_++), picture);
}

void Film::finish() {
  for (int next = pictures_; fs::remove(folder_ / name_of(next));) ++next;  // of an earlier, longer film
  if (!scratch_) return;
  const Outcome outcome = run({{"ffmpeg", "-y", "-loglevel", "error", "-framerate", std::to_string(kPicturesPerSecond),
                                "-i", (folder_ / "%06d.png").string(), "-pix_fmt", "yuv420p", path_.string()}});
  require(outcome.succeeded, "ffmpeg cannot make ", path_.string(), ": ", one_line(outcome.said));
}

}  // namespace fleet::metaworld
