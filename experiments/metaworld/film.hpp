// Pictures on disk: numbered PNG files, or one film that ffmpeg makes of them.
#pragma once

#include <filesystem>
#include <memory>

#include "io/subprocess.hpp"
#include "metaworld/renderer.hpp"

namespace fleet::metaworld {

class Film {
 public:
  static constexpr int kPicturesPerSecond = 40;

  /// A folder, or a film if the name ends in .mp4. ConfigError if there is a film, or anything in the folder, that this
  /// program has not made. Error if it cannot be made, or if ffmpeg is needed and not installed.
  explicit Film(std::filesystem::path path);

  void add(const Picture& picture);
  /// Makes the film; to be called once, at the end.
  void finish();
  [[nodiscard]] int pictures() const { return pictures_; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<ScratchDirectory> scratch_;  // of a film
  std::filesystem::path folder_;
  int pictures_ = 0;
};

}  // namespace fleet::metaworld
