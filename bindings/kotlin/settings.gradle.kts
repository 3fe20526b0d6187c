// The modules of the Kotlin package, as Gradle and Android Studio see them. Continuous integration has no Gradle:
// ./compile compiles all of it that is no Android, ./test runs the tests, and ./release runs this.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "outrider-kotlin"

include(":outrider-generated", ":outrider", ":outrider-desktop", ":outrider-android")
include(":examples:day", ":examples:day-android")
