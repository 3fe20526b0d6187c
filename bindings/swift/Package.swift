// swift-tools-version: 6.0
// The Swift package over the offline CRM's library.
//
// The library itself comes in one of two ways, and nothing else differs between them:
// - with OUTRIDER_LIBRARY_FOLDER in the environment it is the dynamic library in that folder: on Linux, and for work
//   on the package itself;
// - without, it is the XCFramework of a release, for apps. `release` writes its address and checksum below.

import PackageDescription

let releaseURL = ""
let releaseChecksum = ""

let folder = Context.environment["OUTRIDER_LIBRARY_FOLDER"]

let library: Target =
    if folder != nil {
        .systemLibrary(name: "OutriderFFI")
    } else if releaseURL.isEmpty {
        .binaryTarget(name: "OutriderFFI", path: "OutriderFFI.xcframework")
    } else {
        .binaryTarget(name: "OutriderFFI", url: releaseURL, checksum: releaseChecksum)
    }

/// Where the dynamic library is looked for: when linking, and when running.
let linking: [LinkerSetting] =
    folder.map { [.unsafeFlags(["-L\($0)", "-Xlinker", "-rpath", "-Xlinker", $0])] } ?? [
        .linkedFramework("Security"), .linkedFramework("CoreFoundation"),
    ]

let package = Package(
    name: "Outrider",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "Outrider", targets: ["Outrider"]),
        .library(name: "OutriderDay", targets: ["OutriderDay"]),
        .library(name: "OutriderScreens", targets: ["OutriderScreens"]),
    ],
    targets: [
        library,
        .target(
            name: "Outrider",
            dependencies: ["OutriderFFI"],
            exclude: folder == nil ? [] : ["PrivacyInfo.xcprivacy"],
            resources: folder == nil ? [.copy("PrivacyInfo.xcprivacy")] : [],
            linkerSettings: linking
        ),
        .target(name: "OutriderDay", dependencies: ["Outrider"]),
        // Empty where there is no SwiftUI.
        .target(name: "OutriderScreens", dependencies: ["OutriderDay"]),
    ],
    swiftLanguageModes: [.v6]
)

// Work on the package itself.
if folder != nil {
    package.targets += [
        .executableTarget(name: "QuickStart", dependencies: ["Outrider"]),
        .executableTarget(name: "Measure", dependencies: ["Outrider"]),
        .testTarget(name: "OutriderTests", dependencies: ["Outrider", "OutriderDay", "QuickStart"]),
    ]
}
