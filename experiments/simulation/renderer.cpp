#include "simulation/renderer.hpp"

#include <EGL/egl.h>
#include <EGL/eglext.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.hpp"
#include "simulation/engine.hpp"
#include "simulation/mesa_llvm.hpp"

namespace fleet::simulation {
namespace {

/// A device that draws: a graphics card, or Mesa's software. All contexts share it, and it ends with the last.
class Display {
 public:
  static std::shared_ptr<Display> shared() {
    static std::weak_ptr<Display> open;
    std::shared_ptr<Display> display = open.lock();
    if (display == nullptr) open = display = std::make_shared<Display>();
    return display;
  }

  Display() : display_(first_that_works()) {}
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;
  ~Display() {
    if (display_ != EGL_NO_DISPLAY) eglTerminate(display_);
  }
  [[nodiscard]] EGLDisplay get() const { return display_; }

 private:
  static EGLDisplay first_that_works() {
    const auto query = reinterpret_cast<PFNEGLQUERYDEVICESEXTPROC>(eglGetProcAddress("eglQueryDevicesEXT"));  // NOLINT
    const auto open =
        reinterpret_cast<PFNEGLGETPLATFORMDISPLAYEXTPROC>(eglGetProcAddress("eglGetPlatformDisplayEXT"));  // NOLINT
    std::array<EGLDeviceEXT, 16> devices{};
    EGLint count = 0;
    if (query != nullptr && open != nullptr) query(static_cast<EGLint>(devices.size()), devices.data(), &count);
    for (int i = 0; i < count; ++i) {
      const EGLDisplay display = open(EGL_PLATFORM_DEVICE_EXT, devices[static_cast<std::size_t>(i)], nullptr);
      if (display != EGL_NO_DISPLAY && eglInitialize(display, nullptr, nullptr) == EGL_TRUE) return display;
    }
    const EGLDisplay display = eglGetDisplay(EGL_DEFAULT_DISPLAY);
    return eglInitialize(display, nullptr, nullptr) == EGL_TRUE ? display : EGL_NO_DISPLAY;
  }

  EGLDisplay display_;
};

/// An OpenGL context without a window, through EGL.
class OffscreenContext {
 public:
  OffscreenContext() {
    constexpr std::array<EGLint, 11> kConfig = {EGL_SURFACE_TYPE,
                                                EGL_PBUFFER_BIT,
                                                EGL_RENDERABLE_TYPE,
                                                EGL_OPENGL_BIT,
                                                EGL_RED_SIZE,
                                                8,
                                                EGL_GREEN_SIZE,
                                                8,
                                                EGL_BLUE_SIZE,
                                                8,
                                                EGL_NONE};
    EGLConfig config = nullptr;
    EGLint found = 0;
    const EGLDisplay display = display_->get();
    const bool ready = display != EGL_NO_DISPLAY &&
                       eglChooseConfig(display, kConfig.data(), &config, 1, &found) == EGL_TRUE && found > 0 &&
                       eglBindAPI(EGL_OPENGL_API) == EGL_TRUE;
    prepare_llvm_of_mesa();
    if (ready) context_ = eglCreateContext(display, config, EGL_NO_CONTEXT, nullptr);
    require(context_ != EGL_NO_CONTEXT && use(),
            "there is no off-screen OpenGL here to draw with: on Debian install libegl1 and libgl1-mesa-dri");
  }
  OffscreenContext(const OffscreenContext&) = delete;
  OffscreenContext& operator=(const OffscreenContext&) = delete;
  ~OffscreenContext() {
    eglMakeCurrent(display_->get(), EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    eglDestroyContext(display_->get(), context_);
  }

  /// What is drawn from now on is drawn in it. Whether that can be.
  bool use() {  // NOLINT(readability-make-member-function-const)
    return eglMakeCurrent(display_->get(), EGL_NO_SURFACE, EGL_NO_SURFACE, context_) == EGL_TRUE;
  }

 private:
  std::shared_ptr<Display> display_ = Display::shared();
  EGLContext context_ = EGL_NO_CONTEXT;
};

}  // namespace

std::string drawing_device() {
  constexpr unsigned kRenderer = 0x1F01;  // as OpenGL numbers its names
  constexpr unsigned kVersion = 0x1F02;
  static const std::string kDevice = [] {
    const OffscreenContext context;
    using GetString = const unsigned char* (*)(unsigned);
    const auto get = reinterpret_cast<GetString>(eglGetProcAddress("glGetString"));  // NOLINT
    require(get != nullptr, "OpenGL does not tell its name here");
    const auto text = [&](unsigned name) {
      const unsigned char* const value = get(name);
      return value == nullptr ? std::string("unknown") : std::string(reinterpret_cast<const char*>(value));  // NOLINT
    };
    return cat(text(kRenderer), ", OpenGL ", text(kVersion));
  }();
  return kDevice;
}

struct Renderer::Context {
  Context(mjModel& of, const Camera& from, Quality quality) : model(of) {
    mjv_defaultOption(&option);
    mjv_defaultCamera(&camera);
    camera.type = from.follows ? mjCAMERA_TRACKING : mjCAMERA_FREE;
    camera.trackbodyid = from.follows ? 1 : -1;
    mju_copy3(camera.lookat, from.look_at.data());
    camera.distance = from.distance;
    camera.azimuth = from.azimuth;
    camera.elevation = from.elevation;
    mjv_defaultScene(&drawn);
    mjv_makeScene(&model, &drawn, 2000);
    const int samples = model.vis.quality.offsamples;
    if (quality == Quality::kPlain) {
      drawn.flags[mjRND_SHADOW] = 0;
      drawn.flags[mjRND_REFLECTION] = 0;
      model.vis.quality.offsamples = 0;
    }
    mjr_defaultContext(&resources);
    mjr_makeContext(&model, &resources, mjFONTSCALE_100);
    model.vis.quality.offsamples = samples;
    mjr_setBuffer(mjFB_OFFSCREEN, &resources);
    require(resources.currentBuffer == mjFB_OFFSCREEN, "OpenGL has no off-screen buffer here");
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    opengl.use();
    mjr_freeContext(&resources);
    mjv_freeScene(&drawn);
  }

  OffscreenContext opengl;
  mjModel& model;
  mjvOption option{};
  mjvCamera camera{};
  mjvScene drawn{};
  mjrContext resources{};
};

Renderer::Renderer(Environment& environment, const Camera& camera, int width, int height, Quality quality) {
  mjModel* const model = environment.physics().model;
  require(model != nullptr, "this world has nothing to be drawn");
  model->vis.global.offwidth = width;
  model->vis.global.offheight = height;
  context_ = std::make_unique<Context>(*model, camera, quality);
  picture_ = {.width = width,
              .height = height,
              .rgb = std::vector<std::uint8_t>(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height))};
}

Renderer::~Renderer() = default;

void Renderer::place(Environment& environment) {
  const auto [model, data] = environment.physics();
  mj_kinematics(model, data);
  mj_comPos(model, data);
  mj_camlight(model, data);
}

const Picture& Renderer::draw(Environment& environment) {
  Context& context = *context_;
  environment.mark_goal();
  context.opengl.use();
  mjv_updateScene(&context.model, environment.physics().data, &context.option, nullptr, &context.camera, mjCAT_ALL,
                  &context.drawn);
  const mjrRect viewport{0, 0, picture_.width, picture_.height};
  mjr_render(viewport, &context.drawn, &context.resources);
  mjr_readPixels(picture_.rgb.data(), nullptr, viewport, &context.resources);
  // OpenGL counts rows from the bottom.
  const auto row = 3 * static_cast<std::ptrdiff_t>(picture_.width);
  for (int top = 0, bottom = picture_.height - 1; top < bottom; ++top, --bottom) {
    std::swap_ranges(picture_.rgb.begin() + top * row, picture_.rgb.begin() + (top + 1) * row,
                     picture_.rgb.begin() + bottom * row);
  }
  return picture_;
}

}  // namespace fleet::simulation
