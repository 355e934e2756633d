// Pictures of an environment, drawn off screen, with or without a graphics card.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "metaworld/environment.hpp"

namespace fleet::metaworld {

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  ///< row by row from the top
};

/// Draws environments of one scene, which should be Scene::Detail::kVisual.
class Renderer {
 public:
  /// Error saying what to install when there is no off-screen OpenGL.
  Renderer(Scene& scene, int width, int height);
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  ~Renderer();

  /// The picture is overwritten by the next.
  [[nodiscard]] const Picture& draw(Environment& environment);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  Picture picture_;
};

}  // namespace fleet::metaworld
