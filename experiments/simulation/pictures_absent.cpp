// In place of the renderer and of films where fleet is built without what they need, which FLEET_MISSING names.
#include "base/error.hpp"
#include "simulation/film.hpp"
#include "simulation/renderer.hpp"

namespace fleet::simulation {
namespace {

[[noreturn]] void complain() {
  throw ConfigError("no pictures can be drawn: fleet was configured without " FLEET_MISSING);
}

}  // namespace

std::string drawing_device() {
  complain();
}

struct Renderer::Context {};

Renderer::Renderer(Environment& /*environment*/, const Camera& /*camera*/, int /*width*/, int /*height*/,
                   Quality /*quality*/) {
  complain();
}
Renderer::~Renderer() = default;

void Renderer::place(Environment& /*environment*/) {}

const Picture& Renderer::draw(Environment& /*environment*/) {
  return picture_;
}

void require_own_picture(const std::filesystem::path& /*path*/) {
  complain();
}
void write_picture(const std::filesystem::path& /*path*/, const Picture& /*picture*/, const Facts& /*facts*/) {}

Film::Film(std::filesystem::path /*path*/, const Facts& /*facts*/) {
  complain();
}

void Film::add(const Picture& /*picture*/) {}
void Film::finish() {}

}  // namespace fleet::simulation
